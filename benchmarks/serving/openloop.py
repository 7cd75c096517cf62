"""Open-loop load: a constant rate, and each latency counts from when the request was due.

A client that waits for answers slows down with the server and so never sees its worst (G. Tene:
"coordinated omission"). Here requests fall due by the clock. One thread sleeps until the next is
due and sends it on an idle connection, or a new one; another reads the answers. Where all
`CONNECTIONS` are busy a request waits, and its clock runs. What is not answered `PATIENCE` seconds
after the last was due counts with the time it has waited.
"""

import math
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.serving.model import BODIES, Fixture
from benchmarks.serving.running import Running
from benchmarks.serving.servers import Route

CONNECTIONS = 900
PATIENCE = 5.0  # seconds
BUFFER = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """What came of the requests that were due; latencies in ms, of all of them, answered or not."""

    route: str
    offered: float
    achieved: float
    requests: int
    answered: int
    failed: int
    p50: float
    p95: float
    p99: float


def open_loop(
    run: Running, route: Route, fixture: Fixture, *, rate: float, seconds: float
) -> Outcome:
    """Ask `rate` times a second for `seconds`, whatever the server does."""
    return Attack(run.port, _requests(run, route, fixture), rate=rate, n=int(rate * seconds)).run(
        route.name
    )


def _requests(run: Running, route: Route, fixture: Fixture) -> list[bytes]:
    found = []
    for i in range(BODIES):
        body, headers = route.protocol.write(fixture.rows[i : i + 1])
        lines = [
            f"POST {route.path} HTTP/1.1",
            f"Host: 127.0.0.1:{run.port}",
            f"Content-Length: {len(body)}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        found.append("\r\n".join([*lines, "", ""]).encode() + body)
    return found


class Attack:
    """One open loop: `n` requests, bytes as they go over the wire, `rate` of them a second."""

    def __init__(
        self, port: int, requests: list[bytes], *, rate: float, n: int, host: str = "127.0.0.1"
    ) -> None:
        self.address = (host, port)
        self.requests = requests
        self.rate = rate
        self.n = n
        self.start = math.inf
        self.taken = [math.nan] * n
        self.failed = 0
        self.last = 0.0
        self.idle: deque[_Connection] = deque()
        self.waiting: deque[int] = deque()
        self.connections: dict[int, _Connection] = {}
        self.lock = threading.Lock()
        self.poll = select.epoll()

    def run(self, route: str) -> Outcome:
        """Send all, read all; returns when all are answered or patience has ended."""
        self.start = time.perf_counter()
        reader = threading.Thread(target=self._read)
        reader.start()
        self._send()
        reader.join()
        self.poll.close()
        return self._outcome(route)

    def due(self, number: int) -> float:
        """Return when a request is due."""
        return self.start + number / self.rate

    def _send(self) -> None:
        """Send each request when it is due."""
        for number in range(self.n):
            wait = self.due(number) - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            connection = self._take(number)
            if connection:
                self._ask(connection, number)

    def _take(self, number: int) -> "_Connection | None":
        with self.lock:
            if self.idle:
                return self.idle.pop()
            if len(self.connections) >= CONNECTIONS:
                self.waiting.append(number)
                return None
        connection = _Connection(self.address)
        self.connections[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, select.EPOLLIN)
        return connection

    def _ask(self, connection: "_Connection", number: int) -> None:
        connection.buffer = b""
        connection.number = number
        with suppress(OSError):  # the reader finds it closed, and counts the request as failed
            connection.socket.sendall(self.requests[number % len(self.requests)])

    def _read(self) -> None:
        """Read answers until all are there, or patience ends."""
        done = 0
        end = self.due(self.n) + PATIENCE
        while done < self.n and (left := end - time.perf_counter()) > 0:
            for descriptor, _ in self.poll.poll(min(left, 0.1)):
                done += self._answer(self.connections[descriptor])
        with self.lock:
            self.waiting.clear()
        for connection in self.connections.values():
            connection.socket.close()

    def _answer(self, connection: "_Connection") -> int:
        """Read what has arrived; returns how many requests that ends, 0 or 1."""
        open_still = connection.receive()
        if open_still and not connection.complete():
            return 0
        number = connection.number
        connection.number = -1
        if number >= 0:
            self.last = time.perf_counter()
            self.taken[number] = self.last - self.due(number)
            self.failed += not (
                connection.complete() and connection.buffer.startswith(b"HTTP/1.1 200 ")
            )
        if open_still:
            self._go_on(connection)
        else:
            self._forget(connection)
        return int(number >= 0)

    def _go_on(self, connection: "_Connection") -> None:
        with self.lock:
            following = self.waiting.popleft() if self.waiting else None
            if following is None:
                self.idle.append(connection)
        if following is not None:
            self._ask(connection, following)

    def _forget(self, connection: "_Connection") -> None:
        self.poll.unregister(connection.socket)
        with self.lock, suppress(ValueError):
            self.idle.remove(connection)
        del self.connections[connection.socket.fileno()]
        connection.socket.close()

    def _outcome(self, route: str) -> Outcome:
        """Return rates and percentiles over all requests that were due."""
        end = self.due(self.n) + PATIENCE
        taken = sorted(
            (end - self.due(number) if math.isnan(value) else value) * 1e3
            for number, value in enumerate(self.taken)
        )
        answered = sum(not math.isnan(value) for value in self.taken)
        p50, p95, p99 = (
            taken[min(self.n - 1, int(self.n * share))] for share in (0.50, 0.95, 0.99)
        )
        achieved = (answered - self.failed) / max(self.last - self.start, self.n / self.rate)
        return Outcome(route, self.rate, achieved, self.n, answered, self.failed, p50, p95, p99)


class _Connection:
    """A socket, the request it carries (by number), and what has arrived of the answer."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1
        self.buffer = b""

    def receive(self) -> bool:
        """Read what is there; False where the server has closed."""
        try:
            part = self.socket.recv(BUFFER)
        except OSError:
            part = b""
        self.buffer += part
        return bool(part)

    def complete(self) -> bool:
        """Whether the whole answer has arrived."""
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return len(body) >= int(length)
