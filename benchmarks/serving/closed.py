"""One row a request from 10 and 50 clients that wait for each answer, all servers in turn."""

from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from benchmarks.serving.model import Fixture
from benchmarks.serving.running import Running
from benchmarks.serving.servers import Route
from benchmarks.serving.wrk import Sample, load

CONNECTIONS = (10, 50)
SWEEP = (1, 2, 5, 10, 25, 50, 100, 200, 400)
WARM_UP = 1  # seconds


def rounds(runs: list[Running], fixture: Fixture, *, seconds: int, n: int) -> list[Sample]:
    """Ask each route `n` times for `seconds` with each number of clients, interleaved."""
    pairs = list(under_load(runs))
    for run, route in pairs:
        load(run, route, fixture, CONNECTIONS[0], WARM_UP)
    return [
        load(run, route, fixture, connections, seconds)
        for _ in range(n)
        for connections in CONNECTIONS
        for run, route in pairs
    ]


def under_load(runs: list[Running]) -> Iterator[tuple[Running, Route]]:
    """Yield the routes that are asked row by row."""
    return ((run, route) for run in runs for route in run.server.routes if route.rounds)


def medians(samples: list[Sample]) -> dict[tuple[str, int], dict[str, float]]:
    """Return each figure's median over the rounds, and all failures, by route and connections."""
    groups: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.route, sample.connections].append(sample)
    figures = ("rate", "p50", "p95", "p99", "cpu", "others")
    return {
        key: {name: median(getattr(sample, name) for sample in group) for name in figures}
        | {
            "failed": sum(sample.failed for sample in group),
            "lowest": min(sample.rate for sample in group),
        }
        for key, group in groups.items()
    }


def sweep(run: Running, fixture: Fixture, *, seconds: int) -> list[Sample]:
    """Ask one server with more and more clients at once."""
    return [load(run, run.server.routes[0], fixture, connections, seconds) for connections in SWEEP]


def growth(run: Running, fixture: Fixture, *, seconds: int) -> dict[str, float]:
    """Return the MiB that a warm server's memory grows by in 100,000 requests."""
    route = run.server.routes[0]
    load(run, route, fixture, CONNECTIONS[-1], max(2, seconds // 3))
    before = run.tree.rss()
    requests = load(run, route, fixture, CONNECTIONS[-1], seconds).requests
    after = run.tree.rss()
    return {
        "requests": requests,
        "before": before,
        "after": after,
        "per_100k": (after - before) / max(1, requests) * 1e5,
    }
