"""What does a prediction cost as forests, requests and clients grow, and where does the cost bend?

Forests are complete trees without any fitting, so that every path has the depth that is asked for.
Each line varies one of trees, depth, features and rows, and leaves the others. Clients ask our
server, started as `benchmarks.serving` starts it.
"""

import argparse
import signal
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.growth_plot import Panel, draw
from benchmarks.serving import tables
from benchmarks.serving.closed import sweep
from benchmarks.serving.model import make_fixture
from benchmarks.serving.running import running
from benchmarks.serving.servers import OURS, SERVERS
from benchmarks.serving.wrk import Sample, require_wrk
from registry.package import KERNEL, FlatForest

NODE_BYTES = 12 + 8  # of the C kernel: a packed node, and its leaf's value


@dataclass(frozen=True)
class Case:
    """One forest and how it is asked."""

    trees: int = 100
    depth: int = 9
    features: int = 13
    rows: int = 10_000


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU of one call for one row, and of one for all."""

    case: Case
    one: float
    batch: float

    @property
    def size(self) -> float:
        """The forest, in KiB."""
        return self.case.trees * ((2 << self.case.depth) - 1) * NODE_BYTES / 1024

    def per_decision(self, seconds: float, rows: int) -> float:
        """Return nanoseconds."""
        return seconds * 1e9 / (rows * self.case.trees * self.case.depth)


SWEEPS = {
    "trees": [10, 20, 50, 100, 200, 500, 1000, 2000, 4000],
    "depth": [2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 16],
    "features": [2, 5, 13, 50, 100, 200, 500, 1000, 2000],
    "rows": [1, 2, 4, 8, 16, 32, 100, 1_000, 10_000, 100_000, 1_000_000],
}


SECONDS = 3  # under each number of clients


def main() -> None:
    """Measure each sweep, print it, and draw all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the plot, as SVG"
    )
    parser.add_argument(
        "--connections", action="store_true", help="also ask our server with more and more clients"
    )
    options = parser.parse_args()
    print(f"kernel {KERNEL}; ns a decision = CPU time / (rows x trees x depth)\n")
    print("| varied | value | forest KiB | one row us | ns a decision | batch ms | ns a decision |")
    print("|---|---|---|---|---|---|---|")
    panels = [
        _panel(name, [_measured(name, value) for value in values])
        for name, values in SWEEPS.items()
    ]
    if options.connections:
        samples = _clients()
        print(f"\n{tables.clients(samples)}")
        panels += _client_panels(samples)
    options.output.write_text(
        draw(f"What a prediction costs ({KERNEL.capitalize()} kernel)", panels), encoding="utf-8"
    )


def complete_forest(case: Case, rng: np.random.Generator) -> FlatForest:
    """Return complete binary trees over uniform features.

    Each decision halves what reaches it, so none is foreseen.
    """
    nodes = 2 ** (case.depth + 1) - 1
    # In depth-first order, as scikit-learn numbers them: the left child follows, the right one
    # comes after its tree.
    below = _sizes(case.depth)
    place = np.arange(nodes)
    left = np.where(below > 1, place + 1, place)
    right = np.where(below > 1, place + 1 + (below - 1) // 2, place)
    inner = below > 1
    starts = np.arange(case.trees + 1) * nodes
    shift = np.repeat(starts[:-1], nodes)
    n = case.trees * nodes
    return FlatForest(
        start=starts.astype(np.int32),
        feature=np.where(np.tile(inner, case.trees), rng.integers(0, case.features, n), 0).astype(
            np.int32
        ),
        threshold=rng.uniform(0.3, 0.7, n).astype(np.float32),
        left=(np.tile(left, case.trees) + shift).astype(np.int32),
        right=(np.tile(right, case.trees) + shift).astype(np.int32),
        missing_left=np.zeros(n, dtype=np.bool_),
        value=rng.normal(size=(n, 1)),
        n_features=case.features,
    )


def _sizes(depth: int) -> np.ndarray:
    """Return how many nodes lie at and below each node of a complete tree, depth first."""
    sizes = np.ones(1, dtype=np.int64)
    for _ in range(depth):
        sizes = np.concatenate([[2 * len(sizes) + 1], sizes, sizes])
    return sizes


def _measured(name: str, value: int) -> Cost:
    case = replace(Case(), **{name: value})
    rng = np.random.default_rng(0)
    forest = complete_forest(case, rng)
    x = rng.uniform(size=(case.rows, case.features)).astype(np.float32)
    singles = rng.uniform(size=(1000, case.features)).astype(np.float32)
    packed = [struct.pack(f"{case.features}f", *row) for row in singles]
    one = min(_one(forest, packed) for _ in range(20))
    batch = min(_batch(forest, x) for _ in range(5))
    cost = Cost(case, one, batch)
    nanos = cost.per_decision(one, 1), cost.per_decision(batch, case.rows)
    row = f"{one * 1e6:,.1f} | {nanos[0]:.2f}"
    rows = f"{batch * 1e3:,.3g} | {nanos[1]:.2f}"
    print(f"| {name} | {value:,} | {cost.size:,.0f} | {row} | {rows} |", flush=True)
    return cost


def _one(forest: FlatForest, rows: list[bytes]) -> float:
    start = time.thread_time()
    for row in rows:
        forest.sums_row(row)
    return (time.thread_time() - start) / len(rows)


def _batch(forest: FlatForest, x: np.ndarray) -> float:
    repeats = max(1, 1_000 // len(x))
    start = time.thread_time()
    for _ in range(repeats):
        forest.sums(x)
    return (time.thread_time() - start) / repeats


def _panel(name: str, costs: list[Cost]) -> Panel:
    lines = {
        "one row alone": [cost.per_decision(cost.one, 1) for cost in costs],
        "rows together": [cost.per_decision(cost.batch, cost.case.rows) for cost in costs],
    }
    return Panel(
        f"{name} ({_others(name)})",
        "ns a decision",
        [getattr(cost.case, name) for cost in costs],
        lines,
    )


def _others(name: str) -> str:
    default = Case()
    return ", ".join(f"{other} {getattr(default, other):,}" for other in SWEEPS if other != name)


def _clients() -> list[Sample]:
    require_wrk()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is ended in order
    with tempfile.TemporaryDirectory(prefix="growth-", ignore_cleanup_errors=True) as folder:
        fixture = make_fixture(Path(folder))
        with running([each for each in SERVERS if each.name == OURS], fixture) as (runs, missing):
            if missing:
                raise SystemExit(f"our own server does not start: {missing[OURS]}")
            return sweep(runs[0], fixture, seconds=SECONDS)


def _client_panels(samples: list[Sample]) -> list[Panel]:
    clients = [each.connections for each in samples]
    latency = {"p50": [each.p50 for each in samples], "p99": [each.p99 for each in samples]}
    return [
        Panel(
            "connections", "CPU us an answer", clients, {"one row": [each.cpu for each in samples]}
        ),
        Panel("connections", "ms from request to answer", clients, latency),
    ]


if __name__ == "__main__":
    main()
