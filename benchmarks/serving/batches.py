"""Many rows a request, one client: milliseconds from the first byte sent to the last received."""

import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

import numpy as np

from benchmarks.serving.model import Fixture
from benchmarks.serving.running import REQUEST_TIMEOUT, Running, ask, check
from benchmarks.serving.servers import FLOOR, Route
from registry.package import FlatForest, load_package

SIZES = (1, 100, 1_000, 10_000)
REPEATS = 7
KERNEL = "flat forest alone, in process"
Result = float | str  # ms, or why there is none
Timed = Callable[[], object]


def batches(
    runs: list[Running], fixture: Fixture, sizes: tuple[int, ...]
) -> dict[str, dict[int, Result]]:
    """Return the median ms of `REPEATS` for each route and size, and of the forest alone.

    All take turns.
    """
    routes = [
        (run, route) for run in runs if run.server.model != FLOOR for route in run.server.routes
    ]
    routes = [(run, route) for run, route in routes if route.protocol.batches]
    forest = load_package(fixture.folder / "package").forest
    found: dict[str, dict[int, Result]] = {
        name: {} for name in (KERNEL, *(route.name for _, route in routes))
    }
    for size in sizes:
        timed: dict[str, Timed] = {KERNEL: _kernel(forest, fixture, size)}
        with ExitStack() as stack:
            for run, route in routes:
                found[route.name][size] = check(run.port, route, fixture, size)
                if not found[route.name][size]:
                    timed[route.name] = _request(run, route, fixture, size, stack)
            for name, ms in _medians(timed).items():
                found[name][size] = ms
    return found


def _medians(timed: dict[str, Timed]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(REPEATS):
        for name, act in timed.items():
            act()  # not timed: the others' turns have emptied the caches
            start = time.perf_counter()
            act()
            times[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(each) for name, each in times.items()}


def _kernel(forest: FlatForest, fixture: Fixture, size: int) -> Timed:
    x = np.ascontiguousarray(fixture.rows[:size], dtype=np.float32)
    return lambda: forest.sums(x)


def _request(run: Running, route: Route, fixture: Fixture, size: int, stack: ExitStack) -> Timed:
    body, headers = route.protocol.write(fixture.rows[:size])
    connection = http.client.HTTPConnection("127.0.0.1", run.port, timeout=REQUEST_TIMEOUT)
    stack.callback(connection.close)

    def act() -> None:
        try:
            ask(connection, route, body, headers)
        except ConnectionError:  # closed, as it had been idle for too long
            connection.close()
            ask(connection, route, body, headers)

    return act
