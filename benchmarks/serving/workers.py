"""One worker against two, 50 clients, 100 rows a request: with single rows the load would take half of two cores."""

import subprocess

from benchmarks.serving import model
from benchmarks.serving.closed import WARM_UP, medians
from benchmarks.serving.model import Fixture
from benchmarks.serving.running import Running, running
from benchmarks.serving.servers import OURS, TWO_WORKERS
from benchmarks.serving.wrk import load

CONNECTIONS, ROWS = 50, 100


def workers(one: Running, fixture: Fixture, *, seconds: int, n: int) -> dict[str, dict[str, float]] | str:
    """Return the medians of both by name, or why there are none."""
    if "--workers" not in _help():
        return "`tunegate serve` has no --workers"
    with running([TWO_WORKERS], fixture) as (started, missing):
        if missing:
            return missing[TWO_WORKERS.name]
        pair = [(one, one.server.routes[0]), (started[0], started[0].server.routes[0])]
        load(*pair[1], fixture, CONNECTIONS, WARM_UP, rows=ROWS)
        samples = [load(run, route, fixture, CONNECTIONS, seconds, rows=ROWS) for _ in range(n) for run, route in pair]
        found = {name: figures for (name, _), figures in medians(samples).items()}
        found[TWO_WORKERS.routes[0].name]["memory"] = started[0].pss
        found[one.server.routes[0].name]["memory"] = one.pss
        return found


def _help() -> str:
    python = model.PEERS / OURS / "bin" / "python"
    done = subprocess.run([python, "-m", "tunegate", "serve", "--help"], capture_output=True, text=True, check=False)
    return done.stdout
