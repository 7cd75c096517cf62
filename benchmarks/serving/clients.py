"""Clients that ask all the time, one process and one connection each, and check every answer."""

import json
import multiprocessing
import re
import socket
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

STEADY, SWAPPING, STOP = range(3)
TIMEOUT = 10.0  # seconds for an answer
HEAD_END = b"\r\n\r\n"
VERSION = re.compile(rb"\r\nx-model-version: *([0-9a-f]{64})\r\n", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@dataclass
class Seen:
    """What clients saw: seconds an answer took by phase, and what was not right."""

    taken: tuple["array[float]", "array[float]"] = field(
        default_factory=lambda: (array("d"), array("d"))
    )
    failed: int = 0
    wrong: int = 0

    def add(self, other: "Seen") -> None:
        """Take another client's into this."""
        for mine, its in zip(self.taken, other.taken, strict=True):
            mine.extend(its)
        self.failed += other.failed
        self.wrong += other.wrong


class Clients:
    """Processes that ask `/predict` until the block ends.

    The phase is shared, and so is what each saw last.

    Attributes:
        phase: STEADY or SWAPPING; answers are counted by the phase in which they were asked for.
        answers: right and wrong answers so far, by client.
        version: index into the expected versions of what answered last, by client.
        changed: when (`time.perf_counter`) the version of a client's answers last changed.
    """

    def __init__(
        self, port: int, row: Mapping[str, Any], expected: Mapping[str, float], n: int
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.phase = context.RawValue("i", STEADY)
        self.answers = context.RawArray("q", n)
        self.version = context.RawArray("i", [-1] * n)
        self.changed = context.RawArray("d", n)
        self._request = _request(port, row)
        self._port = port
        self._expected = expected
        self._pipes = [context.Pipe(duplex=False) for _ in range(n)]
        self._processes = [
            context.Process(target=self._run, args=(i, sender), daemon=True)
            for i, (_, sender) in enumerate(self._pipes)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()

    def stop(self) -> Seen:
        """End all clients and return what they saw."""
        self.phase.value = STOP
        seen = Seen()
        for receiver, _ in self._pipes:
            seen.add(receiver.recv())
        return seen

    def _run(self, me: int, sender: Any) -> None:  # noqa: ANN401 - a connection
        seen = Seen()
        checked = _Checked(self._expected)
        connection = None
        while (phase := self.phase.value) != STOP:
            start = time.perf_counter()
            try:
                connection = connection or socket.create_connection(
                    ("127.0.0.1", self._port), TIMEOUT
                )
                connection.sendall(self._request)
                head, body = _receive(connection)
            except OSError:
                seen.failed += 1
                connection = None
                continue
            end = time.perf_counter()
            if not head.startswith(b"HTTP/1.1 200 "):
                seen.failed += 1
                continue
            seen.taken[phase].append(end - start)
            version = checked.version(head, body)
            seen.wrong += version < 0
            if version != self.version[me]:
                self.version[me] = version
                self.changed[me] = end
            self.answers[me] += 1
        sender.send(seen)


class _Checked:
    """Finds which version answered, and whether it answered as its package does."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        self.expected = expected
        self.order = list(expected)
        self.known: dict[tuple[str, bytes], int] = {}

    def version(self, head: bytes, body: bytes) -> int:
        """Return the version's index, -1 for a wrong answer."""
        found = VERSION.search(head)
        name = found[1].decode() if found else ""
        if (name, body) not in self.known:
            self.known[name, body] = self._check(name, body)
        return self.known[name, body]

    def _check(self, name: str, body: bytes) -> int:
        document = json.loads(body)
        right = name in self.expected and document["model_version"] == name
        return (
            self.order.index(name)
            if right and document["predicted_price"] == self.expected[name]
            else -1
        )


def _request(port: int, row: Mapping[str, Any]) -> bytes:
    body = json.dumps(row).encode()
    lines = ["POST /predict HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _receive(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while True:
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionResetError("closed before the answer was there")
        received += part
        head, end, body = received.partition(HEAD_END)
        length = LENGTH.search(head + b"\r\n") if end else None
        if length and len(body) >= int(length[1]):
            return head + b"\r\n", body
