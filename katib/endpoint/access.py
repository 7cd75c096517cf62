"""Who may send requests: an Experiment is a program that this machine will run.

Without a token only loopback addresses are served, and no page of a browser may use them: a page of
another origin, or one whose host name leads to loopback, is refused.
"""

import hmac
import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from katib.endpoint.refusals import Refusal


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
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
        refusal = self._refusal(dict(scope["headers"])) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            answer = JSONResponse(refusal.to_status(), refusal.code)
            await answer(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes]) -> Refusal | None:
        if self.token:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self.token):
                return None
            return Refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized", "send the bearer token")
        host = headers.get(b"host", b"").decode("latin-1")
        if b"origin" in headers or not is_loopback(_without_port(host)):
            text = "pages of a browser may not run programs here; use --token for other machines"
            return Refusal(HTTPStatus.FORBIDDEN, "Forbidden", text)
        return None


def _without_port(host: str) -> str:
    """Return the name or address of a Host header; empty if it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
