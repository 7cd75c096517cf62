"""What the server must know of a proxy in front of it, and of pages from elsewhere; off unless set.

- A proxy may publish the server below a prefix, `/models/prices/predict`, and pass the prefix on or
  take it off. ASGI calls it `root_path`; the OpenAPI document names it as its server.
- A browser asks before a page of another origin may read an answer (CORS). Origins are named one by
  one, and cookies or other credentials of the browser are never allowed.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import BAD_REQUEST, Problem

READ_BY_PAGES = (
    "Inference-Header-Content-Length",
    "X-Model-Version",
    "X-Model-Warning",
    "X-Request-ID",
)
SENT_BY_PAGES = (
    "Authorization",
    "Content-Type",
    "Inference-Header-Content-Length",
    "X-API-Key",
    "X-Request-ID",
)


class BelowPrefix:
    """ASGI, in front of everything: takes a prefix off the path, and tells it as `root_path`.

    Args:
        app: what answers.
        prefix: such as `/models/prices`.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with the prefix or without it."""
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == self.prefix or path.startswith(f"{self.prefix}/"):
                path = path.removeprefix(self.prefix) or "/"
            scope = {**scope, "path": path, "root_path": self.prefix}
        await self.app(scope, receive, send)


class AllowOrigins(CORSMiddleware):
    """Starlette's CORS, for origins that are named; what it refuses is a problem, too.

    Args:
        app: what answers.
        origins: such as `https://prices.example`; `*` for all.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=SENT_BY_PAGES,
            expose_headers=READ_BY_PAGES,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer the browser's question."""
        answer = super().preflight_response(request_headers)
        if answer.status_code != BAD_REQUEST:
            return answer
        detail = bytes(answer.body).decode()
        response = Problem(BAD_REQUEST, "Not for pages of this origin", detail).response()
        for name in ("vary", "access-control-allow-origin"):
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        return response
