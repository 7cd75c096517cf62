"""Registries that misbehave: they answer what a test says, whole or byte by byte."""

import json
import socket
import threading
from collections.abc import Callable

from support.serving.proxy import Proxy

MODEL = 201, b'{"id":"1","name":"houses"}'
UNROUTED = 404, b"404 page not found"
PASSING = [(status, b'{"code":"","message":"trouble"}') for status in (429, 500, 502, 503)]
BROKEN = ConnectionError("the connection breaks")
Answer = tuple[int, bytes] | Exception
Serve = Callable[..., "FakeRegistry"]
Raw = Callable[..., str]


class FakeRegistry(Proxy):
    """Answers reading with the next of `reads`, the last always, and writing with `writes`."""

    def __init__(self, reads: list[Answer], writes: list[Answer]) -> None:
        super().__init__("http://nowhere.invalid")
        self.reads = reads
        self.writes = writes
        self.headers: list[dict[str, str]] = []

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        self.headers.append({name.lower(): value for name, value in headers.items()})
        return super().answer(method, path, headers, body)

    def before(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        answers = self.reads if method == "GET" else self.writes
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    def asked(self, method: str) -> int:
        return sum(seen == method for seen, _ in self.seen)


def listing(*items: object, **changes: object) -> tuple[int, bytes]:
    return 200, json.dumps(
        {"items": items, "nextPageToken": "", "pageSize": 1, "size": 1, **changes}
    ).encode()


def http_answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *headers]
    if not any(line.startswith("Content-Length") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def answer_connections(
    listener: socket.socket, answers: list[bytes], drips: threading.Event | None = None
) -> None:
    """Send one answer a connection, the last always, until the listener is shut.

    After each, send a space at a time until `drips` is set.
    """
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answers.pop(0) if len(answers) > 1 else answers[0])
            try:
                while drips and not drips.wait(0.05):  # the pace of the drops
                    connection.sendall(b" ")
            except OSError:  # the client has gone
                pass
