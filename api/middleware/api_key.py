"""An API key for those who may ask for predictions; health, readiness and version stay open.

The key is in a file, as a Secret of Kubernetes is to a container. It is read again when the file
changes.
"""

import hmac
from collections.abc import Mapping
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from api.middleware.in_flight import ALWAYS
from api.problems import UNAUTHORIZED, UNAVAILABLE, Problem, refusal
from api.routes.static_files import FILES, MODEL_PAGES, PAGES

HEADER = "X-API-Key"
# The page asks for the key itself; of `/docs` only what describes the API is behind the key.
OPEN = frozenset({*(ALWAYS - {"/metrics"}), *FILES, *PAGES})


class ApiKey:
    """ASGI middleware: a request must carry the key, as `X-API-Key` or as a bearer token.

    Args:
        app: what is protected.
        key: the key.
    """

    def __init__(self, app: ASGIApp, key: "Key") -> None:
        self.app = app
        self.key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or refuse."""
        closed = scope["type"] == "http" and not is_open(scope["path"])
        no = self.key.refusal(dict(scope["headers"])) if closed else None
        await (refusal(scope["path"], no) if no else self.app)(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path is answered without a key."""
    return path in OPEN or path.startswith(MODEL_PAGES)


class Key:
    """The key in a file, as it is now."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read: tuple[tuple[int, int], bytes] | None = None

    def refusal(self, headers: Mapping[bytes, bytes]) -> Problem | None:
        """Return why a request with these headers is refused, or None.

        It is 401, or 503 where there is no key.
        """
        key = self._key()
        if not key:  # closed, not open, when the Secret is missing
            return Problem(
                UNAVAILABLE,
                "No API key is set",
                "the server's key file cannot be read, or is empty",
            )
        if hmac.compare_digest(_given(headers), key):
            return None
        return Problem(
            UNAUTHORIZED, "An API key is needed", f"send it as {HEADER}, or as a bearer token"
        )

    def _key(self) -> bytes:
        try:
            status = self.file.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if self._read is None or self._read[0] != seen:
                self._read = seen, self.file.read_bytes().strip()
        except OSError:
            return b""
        return self._read[1]


def _given(headers: Mapping[bytes, bytes]) -> bytes:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return headers.get(HEADER.lower().encode()) or (token if scheme.lower() == b"bearer" else b"")
