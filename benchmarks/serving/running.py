"""Servers that run: started one after the other, each asked until it answers rightly."""

import http.client
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.serving import model
from benchmarks.serving.bodies import HEADER_LENGTH
from benchmarks.serving.model import Fixture
from benchmarks.serving.processes import POLL, Tree, free_ports
from benchmarks.serving.servers import FLOOR, Route, Server

START_TIMEOUT = 90.0
REQUEST_TIMEOUT = 60.0
TOLERANCE = 1e-6  # of an answer, against `rf.predict`


class NotMeasured(Exception):
    """A server that cannot be installed or started, or answers wrongly; the message says why."""


@dataclass(frozen=True)
class Running:
    """A server that answers, how long that took (s), and its memory then (MiB)."""

    server: Server
    tree: Tree
    port: int
    ready: float
    pss: float


@contextmanager
def running(
    servers: list[Server], fixture: Fixture
) -> Iterator[tuple[list[Running], dict[str, str]]]:
    """Have these servers while the block runs; also yields why any is missing, by name."""
    missing: dict[str, str] = {}
    started: list[Running] = []
    with ExitStack() as stack:
        for server in servers:
            try:
                started.append(_start(server, fixture, stack))
            except NotMeasured as error:
                missing[server.name] = str(error)
        yield started, missing


def post(port: int, route: Route, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, int]:
    """Ask once on a connection of its own.

    Returns status, body, and the length of its header where it is binary.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_TIMEOUT)
    try:
        return ask(connection, route, body, headers)
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection, route: Route, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes, int]:
    """Ask once; returns as `post` does."""
    connection.request("POST", route.path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), int(answer.headers.get(HEADER_LENGTH, 0))


def check(port: int, route: Route, fixture: Fixture, n: int) -> str:
    """Ask for the first `n` rows.

    Return "" where the answer is right, else what is wrong with it.
    """
    status, body, header = post(port, route, *route.protocol.write(fixture.rows[:n]))
    if status != http.client.OK:
        return f"status {status}: {body[:120].decode(errors='replace')}"
    found = np.ravel(route.protocol.read(body, header))
    if found.shape != (n,) or not np.allclose(found, fixture.expected[:n], rtol=0, atol=TOLERANCE):
        return f"{route.name} does not predict as scikit-learn does"
    return ""


def _start(server: Server, fixture: Fixture, stack: ExitStack) -> Running:
    binaries = model.PEERS / server.environment / "bin"
    if not (binaries / "python").exists():
        raise NotMeasured(f"not installed: scripts/peers {server.environment}")
    if server.environment == "mlflow":
        model.save_for_mlflow(fixture.folder)
    ports = free_ports(3)
    words = dict(zip(("port", "grpc", "metrics"), map(str, ports), strict=True))
    words |= {
        "bin": str(binaries),
        "python": str(binaries / "python"),
        "folder": str(fixture.folder),
    }
    words |= {"here": str(model.HERE), "root": str(model.ROOT), "path": os.environ["PATH"]}
    command = [word.format(**words) for word in server.command]
    variables = {name: value.format(**words) for name, value in server.variables.items()}
    folder = Path(tempfile.mkdtemp(dir=fixture.folder))
    tree = Tree.start(command, variables, folder, folder / "log")
    stack.callback(tree.stop)
    return _await(server, tree, ports[0], fixture)


def _await(server: Server, tree: Tree, port: int, fixture: Fixture) -> Running:
    why = "no answer"
    while tree.process.poll() is None and time.perf_counter() - tree.began < START_TIMEOUT:
        try:
            status, _, _ = post(
                port, server.routes[0], *server.routes[0].protocol.write(fixture.rows[:1])
            )
        except OSError:
            time.sleep(POLL)  # between two looks at the condition
            continue
        if status == http.client.OK:
            ready = time.perf_counter() - tree.began
            wrong = [check(port, route, fixture, 1) for route in server.routes if route.rounds]
            if server.model != FLOOR and any(wrong):
                raise NotMeasured("; ".join(filter(None, wrong)))
            return Running(server, tree, port, ready, tree.pss())
        why = f"status {status}"
        time.sleep(POLL)
    raise NotMeasured(
        f"{why} in {time.perf_counter() - tree.began:.0f} s; its log ends: {tree.reason()}"
    )


def installed(server: Server) -> int:
    """Return the MB of the server's environment on disk."""
    done = subprocess.run(
        ["du", "-sm", model.PEERS / server.environment], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[0])
