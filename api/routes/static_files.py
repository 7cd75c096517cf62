"""The page's files in `api/static`, read once at the start; and Swagger UI at `/docs`, offline.

KServe's V1 clients ask `/`, where the page is, whether a server is alive. A browser says that it
accepts HTML; who does not say so is answered as KServe does.
"""

import json
import re
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATIC = Path(__file__).parents[1] / "static"
SWAGGER = Path(str(files("fastapi_offline"))) / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
FILES = {f"/static/{path.name}": path for path in sorted(STATIC.iterdir())} | {
    f"/docs/{name}": SWAGGER / name
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
}
PAGES = ("/", "/models", "/docs", "/docs/start.js")
MODEL_PAGES = "/models/"  # one page for each model below it
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
# Swagger UI sets styles on elements, draws icons from data URLs and sets HTML without types.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
}
VARY = {"Vary": "Accept"}
DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<script src="docs/swagger-ui-bundle.js" defer></script>
<script src="docs/start.js" defer></script>
</head>
<body><div id="swagger-ui"></div></body>
</html>
"""
DOCS_SCRIPT = "SwaggerUIBundle({options});\n"


def page_router(title: str) -> APIRouter:
    """Return the router of the page, of `/docs`, and of their files.

    Args:
        title: of the page at `/docs`.
    """
    router = APIRouter(include_in_schema=False)
    for path, file in FILES.items():
        add_content(router, path, file.read_bytes(), TYPES[file.suffix], SAFE)
    docs = DOCS.format(title=escape(title)).encode()
    policy = {**SAFE, "Content-Security-Policy": DOCS_POLICY}
    add_content(router, "/docs", docs, TYPES[".html"], policy)
    options = json.dumps({"url": "openapi.json", "dom_id": "#swagger-ui", "deepLinking": True})
    script = DOCS_SCRIPT.format(options=options).encode()
    add_content(router, "/docs/start.js", script, TYPES[".js"], SAFE)
    index = (STATIC / "index.html").read_bytes()
    headers = SAFE | VARY | {"ETag": content_tag(index)}
    add_content(router, "/models", index, TYPES[".html"], SAFE)
    add_content(router, f"{MODEL_PAGES}{{name}}", _one_folder_down(index), TYPES[".html"], SAFE)

    @router.get("/")
    async def page(request: Request) -> Response:
        if "text/html" in request.headers.get("Accept", ""):
            return unless_unchanged(request, index, TYPES[".html"], headers)
        return JSONResponse({"status": "alive"}, headers=VARY)

    return router


def _one_folder_down(page: bytes) -> bytes:
    """Return the page for an address one folder down: it refers to its files relatively."""
    return re.sub(rb'((?:href|src)=")(?=[a-z])', rb"\1../", page)


def add_content(
    router: APIRouter, path: str, content: bytes, media_type: str, headers: dict[str, str]
) -> None:
    """Add a route that sends the same content to everybody."""
    tagged = headers | {"ETag": content_tag(content)}

    @router.get(path)
    async def send(request: Request) -> Response:
        return unless_unchanged(request, content, media_type, tagged)


def unless_unchanged(
    request: Request, content: bytes, media_type: str, headers: dict[str, str]
) -> Response:
    """Send content, or 304 where the browser has it, by its `ETag`; it must ask each time."""
    known = request.headers.get("If-None-Match", "")
    headers = {**headers, "Cache-Control": "no-cache"}
    if headers["ETag"] in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def content_tag(content: bytes) -> str:
    """Return the `ETag` of this content."""
    return f'"{sha256(content).hexdigest()[:32]}"'
