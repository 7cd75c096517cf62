"""What a server takes on: how large a request may be, how long it may take to arrive, how many may run at once."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import BAD_REQUEST, TIMEOUT, TOO_LARGE, UNAVAILABLE, Problem

ALWAYS = frozenset({"/healthz", "/readyz", "/version", "/metrics", "/v2/health/live", "/v2/health/ready"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process.

    Attributes:
        body: bytes of a request's body; 413 above.
        rows: rows of a request; 413 above.
        requests: requests in flight at once; 503 with `Retry-After` above. Probes and metrics are always answered.
        seconds: for a body to arrive whole; 408 after.
    """

    body: int = 16 << 20
    rows: int = 100_000
    requests: int = 512
    seconds: float = 30.0

    def check_rows(self, rows: object) -> None:
        """Refuse a list of too many rows; what is no list is for others to refuse.

        Raises:
            Problem: 413.
        """
        if isinstance(rows, list) and len(rows) > self.rows:
            raise Problem(TOO_LARGE, "Too many rows", f"{len(rows)} rows; at most {self.rows} in one request")


class Limited:
    """ASGI middleware: refuses what comes in above `Limits.requests`."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or say that there is too much to do."""
        if scope["type"] != "http" or scope["path"] in ALWAYS:
            await self.app(scope, receive, send)
        elif self.running >= self.limits.requests:
            detail = f"{self.running} requests are being answered, at most {self.limits.requests} are at once"
            await Problem(UNAVAILABLE, "Too busy", detail).response()(scope, receive, send)
        else:
            self.running += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.running -= 1


async def read(receive: Receive, limits: Limits) -> bytes:
    """Read a request's body, which mostly comes in one piece.

    Raises:
        Problem: 413 where it is too large, 408 where it does not arrive in time, 400 where the client has left.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limits.body:
            raise _too_large(limits)
        return body
    try:
        async with asyncio.timeout(limits.seconds):
            return await _pieces(message, receive, limits)
    except TimeoutError as error:
        raise Problem(TIMEOUT, "The body did not arrive", f"waited for {limits.seconds:g} s") from error


async def _pieces(message: Message, receive: Receive, limits: Limits) -> bytes:
    whole = bytearray()
    while message["type"] == "http.request":
        whole += message.get("body", b"")
        if len(whole) > limits.body:
            raise _too_large(limits)
        if not message.get("more_body"):
            return bytes(whole)
        message = await receive()
    raise Problem(BAD_REQUEST, "The client has left")  # nobody reads this answer; it is no fault of ours to be logged


def _too_large(limits: Limits) -> Problem:
    return Problem(TOO_LARGE, "The body is too large", f"at most {limits.body} bytes")
