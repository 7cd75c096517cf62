"""An API server on loopback that answers what a test says, faults included."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Handler = BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


@dataclass
class ApiServer:
    """Gives its answers in order, the last one for ever; `requests` are methods and addresses."""

    port: int
    answers: list[Answer] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def kubeconfig(self, folder: Path, **user: str) -> Path:
        """Write a kubeconfig that names this server."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Run one."""
    lock = threading.Lock()

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            with lock:
                known.requests.append(f"{self.command} {self.path}")
                known.headers.append(dict(self.headers))
                answer = known.answers.pop(0) if len(known.answers) > 1 else known.answers[0]
            with suppress(OSError):
                answer(self)

        do_POST = do_GET  # noqa: N815 - the base class's way to name them

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.daemon_threads = True
    known = ApiServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def json_answer(document: object, code: int = 200) -> Answer:
    """Answer with JSON, or with text as it is."""
    body = (document if isinstance(document, str) else json.dumps(document)).encode()

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status_answer(code: int, message: str, **fields: Any) -> Answer:  # noqa: ANN401 - JSON
    """Answer with a Status, as the API server tells what is wrong."""
    return json_answer(
        {"kind": "Status", "status": "Failure", "code": code, "message": message, **fields}, code
    )


def list_answer(*items: dict[str, Any]) -> Answer:
    """Answer with a list."""
    return json_answer(
        {"kind": "List", "metadata": {"resourceVersion": "42"}, "items": list(items)}
    )


def stream_answer(*lines: object, torn: bool = False) -> Answer:
    """Answer with a watch's events; a torn one breaks in the middle of a chunk."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in lines:
            data = (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.write(b"ffff\r\n{" if torn else b"0\r\n\r\n")
        handler.wfile.flush()
        handler.close_connection = True

    return answer


def close_connection(handler: Handler) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
