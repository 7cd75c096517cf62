"""Bodies are read by our codecs, and documented by FastAPI.

FastAPI decodes a body and validates it in the event loop, for as long as that takes: a second for
the 16 MiB that a request may have. It accepts a field that is there twice, and depends on the
content type. So a `body_route` reads the body itself, large ones in a thread, and hands the result
to the endpoint's `Body` parameter. `DocumentedAs` names the pydantic model that describes it.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from starlette.requests import Request
from starlette.responses import Response

from api.limits import read_body
from api.problems import UNSUPPORTED, Problem
from api.routes.dependencies import get_state

BodyReader = Callable[[Request], Awaitable[object]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class DocumentedAs:
    """Annotates a body or an answer: OpenAPI shows it as the type of this adapter.

    Attributes:
        adapter: is called whenever the document is made, as models and their columns change.
    """

    adapter: Callable[[], TypeAdapter[Any]]

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        """Accept what the codec or the endpoint made: it is checked already."""
        return core_schema.any_schema()

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of the adapter's type."""
        return handler(self.adapter().core_schema)


def body_route(read: BodyReader) -> type[APIRoute]:
    """Return a route class for `APIRouter(route_class=...)` whose bodies are read by `read`.

    `read` takes the request and returns the object that the `Body` parameter gets; it raises
    `Problem`.
    """

    class BodyRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def read_and_handle(request: Request) -> Response:
                if self.body_field is not None:
                    request = _ReadRequest(request, await read(request))
                return await handle(request)

            return read_and_handle

    return BodyRoute


class _ReadRequest(Request):
    """A request whose body has been read: FastAPI takes the result for its JSON."""

    def __init__(self, request: Request, content: object) -> None:
        headers = [(b"content-type", b"application/json")]
        super().__init__({**request.scope, "headers": headers}, request.receive)
        self.content = content

    async def body(self) -> bytes:
        """Return something that is not empty."""
        return b"read"

    async def json(self) -> object:
        """Return what was made of the body."""
        return self.content


async def body_bytes(request: Request) -> bytes:
    """Read the body; raises as `read_body` does, and 415 where it is compressed."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        detail = f"it says Content-Encoding: {encoding}"
        raise Problem(UNSUPPORTED, "Compressed bodies are not read", detail)
    return await read_body(request.receive, get_state(request).limits)
