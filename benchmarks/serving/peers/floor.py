"""The floor: what uvicorn costs when the application only ever says the same thing."""

from collections.abc import Awaitable, Callable
from typing import Any

BODY = b'{"predicted_y":14.439541287652863,"model_version":"' + b"0" * 64 + b'"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(
    scope: dict[str, Any],
    _: Any,  # noqa: ANN401 - as the server calls it
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer any request with the same bytes."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})
