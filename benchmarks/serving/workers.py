"""One worker against two, and beside it what the machine gives to two of anything.

Two loads. 25 rows as JSON are answered where they were read, so one worker has one core at most. Of
1,000 rows the kernel's part runs in threads without Python's lock, so one worker has more than one
core already, and two cannot have twice as much of two. Two servers that know nothing of each other,
each with half of the clients, and two processes that only count, say what of a ratio is the
machine's.
"""

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from statistics import median

from benchmarks.serving import model
from benchmarks.serving.closed import WARM_UP
from benchmarks.serving.model import Fixture
from benchmarks.serving.running import Running, running
from benchmarks.serving.servers import OURS, TWO_WORKERS, Route
from benchmarks.serving.wrk import load

CONNECTIONS = 32
ROWS = {"/predict": 25, "V2": 1_000}  # by route
TWO_SERVERS = "two servers"
COUNTING = "two processes that count"
COUNT = """
import sys, time
n, end = 0, time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < end:
    for _ in range(10_000):
        n += 1
print(n)
"""
Figures = dict[
    str, float
]  # rate of answers; ratio to one; cores: CPU of the servers; idler: of its least busy process


def workers(
    one: Running, fixture: Fixture, *, seconds: int, n: int
) -> dict[str, dict[str, Figures]] | str:
    """Return the medians by load and by who answered, with the memory of both, MiB.

    Without any, return why there are none.
    """
    if "--workers" not in _help():
        return "`tunegate serve` has no --workers"
    with running([TWO_WORKERS, replace(one.server, name="another")], fixture) as (started, missing):
        if missing:
            return "; ".join(missing.values())
        found = {
            f"{name}, {rows:,} rows": _compare(
                (one, *started), _place(one, name), rows, fixture, (seconds, n)
            )
            for name, rows in ROWS.items()
        }
        for each in found.values():
            each[OURS]["memory"] = one.pss
            each[TWO_WORKERS.name]["memory"] = started[0].pss
    return found | {
        "nothing": {
            COUNTING: {"ratio": median(_count(2, seconds) / _count(1, seconds) for _ in range(n))}
        }
    }


def _place(run: Running, name: str) -> int:
    return next(i for i, route in enumerate(run.server.routes) if route.name.endswith(name))


def _compare(
    runs: Sequence[Running], route: int, rows: int, fixture: Fixture, how: tuple[int, int]
) -> dict[str, Figures]:
    one, two, another = runs
    seconds, n = how
    asked = {OURS: [one], TWO_WORKERS.name: [two], TWO_SERVERS: [one, another]}
    for run in runs:
        load(run, run.server.routes[route], fixture, CONNECTIONS, WARM_UP, rows=rows)
    rounds = [
        {name: _ask(each, route, rows, fixture, seconds) for name, each in asked.items()}  # in turn
        for _ in range(n)
    ]
    for found in rounds:
        for figures in found.values():
            figures["ratio"] = figures["rate"] / found[OURS]["rate"]
    return {name: _medians([found[name] for found in rounds]) for name in asked}


def _ask(runs: Sequence[Running], route: int, rows: int, fixture: Fixture, seconds: int) -> Figures:
    """Let each server answer its part of the clients, all at once."""
    before = [run.tree.cpu_by_pid() for run in runs]
    begun = time.perf_counter()

    def one(run: Running) -> float:
        each: Route = run.server.routes[route]
        sample = load(run, each, fixture, CONNECTIONS // len(runs), seconds, rows=rows)
        if sample.failed:
            raise SystemExit(f"{each.name}: {sample.failed} of {sample.requests} requests failed")
        return sample.rate

    with ThreadPoolExecutor(len(runs)) as pool:
        rate = sum(pool.map(one, runs))
    used = list(_used(runs, before, time.perf_counter() - begun))
    return {
        "rate": rate,
        "cores": sum(used),
        "idler": min(core for core in used if core > sum(used) / 100),
    }


def _used(
    runs: Sequence[Running], before: Sequence[Mapping[int, float]], seconds: float
) -> Iterable[float]:
    """Yield the cores that each process of the servers has used."""
    for run, cpu in zip(runs, before, strict=True):
        for pid, after in run.tree.cpu_by_pid().items():
            yield (after - cpu.get(pid, 0.0)) / seconds


def _medians(found: Sequence[Figures]) -> Figures:
    return {key: median(each[key] for each in found) for key in found[0]}


def _count(n: int, seconds: int) -> int:
    """Return how far n processes count together."""
    command = [sys.executable, "-c", COUNT, str(seconds)]
    counting = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(n)]
    return sum(int(each.communicate()[0]) for each in counting)


def _help() -> str:
    python = model.PEERS / OURS / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "tunegate", "serve", "--help"], capture_output=True, text=True, check=False
    )
    return done.stdout
