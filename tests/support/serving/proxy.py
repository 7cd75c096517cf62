"""An HTTP proxy in front of a real server, for faults that the server cannot be made to have."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from support.patience import patience

HOP = {"connection", "content-length", "date", "server", "transfer-encoding", "content-encoding"}


class Proxy:
    """Forwards to `upstream`; a test overrides `before` or `after`.

    Answers are labelled as JSON, or as what a test sets `content_type` to.

    Attributes:
        url: where it listens.
        seen: (method, path) of each request, in order of arrival.
    """

    content_type = "application/json"

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.url = ""
        self.seen: list[tuple[str, str]] = []
        self.client = httpx.Client(base_url=upstream, timeout=patience(60))

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | str:
        """Return an answer of the proxy's own, or the path to request from the server.

        Raise to break the connection.
        """
        return path

    def after(self, method: str, path: str, status: int) -> None:
        """Look at the server's answer; raise to break the connection before the client has it."""

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self.seen.append((method, path))
        wanted = self.before(method, path, body)
        if not isinstance(wanted, str):
            return wanted
        given = {
            name: value for name, value in headers.items() if name.lower() not in HOP | {"host"}
        }
        response = self.client.request(method, wanted, content=body, headers=given)
        self.after(method, path, response.status_code)
        return response.status_code, response.content


Start = Callable[[Proxy], str]


@contextmanager
def running_proxy(proxy: Proxy, *, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy on a free port of the loopback, behind https where `tls` is given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            try:
                status, content = proxy.answer(self.command, self.path, dict(self.headers), body)
            except Exception:  # noqa: BLE001 - the fault that the test asked for
                self.close_connection = True
                return
            with suppress(ConnectionError):  # the client may have given up
                self.send_response(status)
                self.send_header("Content-Type", proxy.content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    proxy.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    poll = 0.02  # seconds that its end may take
    threading.Thread(target=server.serve_forever, args=(poll,), daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        proxy.client.close()
