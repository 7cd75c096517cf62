"""Closed-loop load by wrk: one thread, connections kept alive, 64 bodies, each status counted."""

import json
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.bodies import Protocol
from benchmarks.serving.model import BODIES, Fixture
from benchmarks.serving.processes import machine_cpu
from benchmarks.serving.running import Running
from benchmarks.serving.servers import Route

SCRIPT = Path(__file__).parent / "rotate.lua"
RESULT = "result "


@dataclass(frozen=True)
class Sample:
    """One run of wrk.

    Attributes:
        rate: answers a second.
        p50, p95, p99: latency, ms.
        failed: answers that are no 2xx, and errors of the socket.
        cpu: microseconds of CPU of the server's processes an answer.
        others: cores that neither the server nor wrk used, but somebody else.
    """

    route: str
    connections: int
    requests: int
    rate: float
    p50: float
    p95: float
    p99: float
    failed: int
    cpu: float
    others: float


def require_wrk() -> None:
    """Say so where wrk is missing."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed (Debian: apt install wrk; macOS: brew install wrk)")


def load(
    run: Running, route: Route, fixture: Fixture, connections: int, seconds: float, *, rows: int = 1
) -> Sample:
    """Ask with `connections` clients for `seconds`, `rows` at a time."""
    with tempfile.NamedTemporaryFile("wb", suffix=".bodies") as file:
        file.write(_bodies(route.protocol, fixture, rows))
        file.flush()
        url = f"http://127.0.0.1:{run.port}{route.path}"
        words = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{seconds:g}s",
            "--timeout=30s",
            f"-s{SCRIPT}",
            url,
            file.name,
        ]
        mine = run.tree.cpu()
        all_before = machine_cpu()
        own = _children_cpu()
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        mine = run.tree.cpu() - mine
        everything = machine_cpu() - all_before
        own = _children_cpu() - own
    found = json.loads(done.stdout.rpartition(RESULT)[2])
    duration = found["duration"] / 1e6
    return Sample(
        route=route.name,
        connections=connections,
        requests=found["requests"],
        rate=(found["requests"] - found["status"]) / duration,
        p50=found["p50"] / 1e3,
        p95=found["p95"] / 1e3,
        p99=found["p99"] / 1e3,
        failed=found["status"] + found["socket"],
        cpu=mine / max(1, found["requests"]) * 1e6,
        others=(everything - mine - own) / duration,
    )


def _bodies(protocol: Protocol, fixture: Fixture, rows: int) -> bytes:
    """Write a body a line; where there are not rows enough they come again, in other company."""
    parts = (
        fixture.rows.take(range(i * rows, (i + 1) * rows), axis=0, mode="wrap")
        for i in range(BODIES)
    )
    return b"\n".join(protocol.write(part)[0] for part in parts) + b"\n"


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
