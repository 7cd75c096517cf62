"""The page's files, sent as they lie in `api/static`; they are read once, at the start.

KServe's V1 clients ask `/`, where the page is, whether a server is alive. A browser says that it takes HTML; who does
not say so is answered as KServe does.
"""

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.routes.probes import Probe

STATIC = Path(__file__).parents[1] / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FILES = {f"/static/{path.name}": path for path in sorted(STATIC.iterdir())} | {
    "/": STATIC / "index.html"
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
VARY = {"Vary": "Accept"}


def sender(path: str) -> Probe:
    """Return what answers GET and HEAD for one of `FILES`."""
    file = FILES[path]
    content = file.read_bytes()
    media_type = TYPES[file.suffix]
    headers = {**SAFE, "ETag": tag(content)}

    async def send(request: Request) -> Response:
        return unchanged_or(request, content, media_type, headers)

    async def page(request: Request) -> Response:
        if "text/html" in request.headers.get("Accept", ""):
            return unchanged_or(request, content, media_type, headers | VARY)
        return JSONResponse({"status": "alive"}, headers=VARY)

    return page if path == "/" else send


def unchanged_or(
    request: Request, content: bytes, media_type: str, headers: dict[str, str]
) -> Response:
    """Send content, or say that what the browser has is still good, by its `ETag`; it must ask each time."""
    known = request.headers.get("If-None-Match", "")
    headers = {**headers, "Cache-Control": "no-cache"}
    if headers["ETag"] in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def tag(content: bytes) -> str:
    """Return what tells this content from any other."""
    return f'"{sha256(content).hexdigest()[:32]}"'
