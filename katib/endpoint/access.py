"""Who may send requests: an Experiment is a program that this machine will run.

Without a token only loopback addresses are served, and no page of a browser may use them: a page of
another origin, or one whose host name leads to loopback, is refused.
"""

import hmac
import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from katib.endpoint.refusals import Refusal

LIMIT = 3 << 20  # bytes of a body, as of the API server


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is of this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """ASGI middleware: a request must carry the token, or come from a program on this machine.

    Args:
        app: what is protected.
        token: the bearer token; empty for none.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or refuse."""
        try:
            if scope["type"] == "http":
                self._check(Headers(scope=scope))
        except Refusal as refusal:
            await JSONResponse(refusal.to_status(), refusal.code)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        if self.token:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            known = hmac.compare_digest(given.strip().encode(), self.token)
            if scheme.lower() != "bearer" or not known:
                raise Refusal(HTTPStatus.UNAUTHORIZED, "send the bearer token")
        elif "origin" in headers or not is_loopback(_host_of(headers)):
            text = "pages of a browser may not run programs here; use --token for other machines"
            raise Refusal(HTTPStatus.FORBIDDEN, text)
        if "transfer-encoding" in headers:
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "state the length of the body")
        if int(headers.get("content-length", "0")) > LIMIT:
            text = f"the body may have {LIMIT} bytes"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


def _host_of(headers: Headers) -> str:
    """Return the name or address of a Host header; empty if it cannot be read."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""
