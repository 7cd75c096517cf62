"""Clients of a server that ask without a pause, or byte by byte, and what they saw."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from registry.package import ModelPackage
from support.serving.servers import PATIENCE, Running, await_true

CLIENTS = 4
ROW = {"x": 0.25}
Answer = tuple[int, str, str, float]  # status, version header, version in the body, prediction
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="threads are counted in /proc, which Linux has"
)


@dataclass
class SeenAnswers:
    """The different answers that the clients saw, their errors, and the number of answers."""

    answers: set[Answer] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    requests: int = 0

    def await_more(self, number: int = 40) -> None:
        """Wait until the clients have seen some more."""
        wanted = self.requests + number
        await_true(lambda: self.requests >= wanted or self.errors, "more requests")


@contextmanager
def hammered(server: Running) -> Iterator[SeenAnswers]:
    """Let clients ask for `ROW` without a pause while the block runs."""
    seen = SeenAnswers()
    stop = threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            while not stop.is_set():
                try:
                    found = _ask_once(client)
                except (httpx.HTTPError, json.JSONDecodeError) as error:
                    seen.errors.append(repr(error))
                    continue
                with lock:
                    seen.answers.add(found)
                    seen.requests += 1

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask_once(client: httpx.Client) -> Answer:
    answer = client.post("/predict", json=ROW)
    body = answer.json()
    return (
        answer.status_code,
        answer.headers.get("X-Model-Version", ""),
        body.get("model_version", ""),
        body.get("predicted_y", 0.0),
    )


def right_answers(*packages: ModelPackage) -> set[Answer]:
    """Return the answers that these packages give to `ROW`."""
    predicted = {
        package.digest: float(package.predict({"x": [ROW["x"]]})[0, 0]) for package in packages
    }
    return {(200, digest, digest, value) for digest, value in predicted.items()}


def connect_to(server: Running) -> socket.socket:
    """Connect to the server's port, to write and read bytes."""
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def thread_count(server: Running) -> int:
    """Return how many threads the server's process has."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
