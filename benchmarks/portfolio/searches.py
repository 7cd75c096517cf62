"""What known forests are worth to searches: with points chosen without a table, and with none."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.report import BUDGETS
from benchmarks.search.samplers import Entry, Factory
from benchmarks.search.simulate import simulate_search
from benchmarks.search.tables import Table
from katib.search import portfolio

LEAST = 0.01  # of a distance, so that ratios of those that are next to nothing say little
NOBODY: tuple[Mapping[str, object], ...] = ({},)


def distance_ratios(
    sampler: str,
    tables: Sequence[Table],
    held: Sequence[Sequence[Mapping[str, object]]],
    seeds: int,
) -> list[float]:
    """Return, for each budget, the distance left with known forests as a share of that without.

    It is the geometric mean over tables.

    Args:
        sampler: a name of `benchmarks.search.samplers`.
        tables: where to search.
        held: for each table, the points to begin with.
        seeds: searches on each table; distances are means over them.
    """
    with_, without = (
        np.array(
            [
                _distance_left(sampler, table, points, seeds)
                for table, points in zip(tables, begun, strict=True)
            ]
        )
        for begun in (held, [NOBODY] * len(tables))
    )
    return [
        float(ratio) for ratio in np.exp(np.log((with_ + LEAST) / (without + LEAST)).mean(axis=0))
    ]


def _distance_left(
    sampler: str, table: Table, points: Sequence[Mapping[str, object]], seeds: int
) -> NDArray[np.float64]:
    """Return the mean distance from the least loss after each budget.

    At a distance of 1 a quarter of all forests are better.
    """
    least = table.minimum
    unit = np.quantile(table.means, 0.25) - least
    factory = Factory(Entry.parse(sampler))
    runs = []
    with _known(points):
        for seed in range(seeds):
            run = simulate_search(
                factory.make(table, seed), table.loss, "a4", trials=max(BUDGETS), seed=seed
            )
            best = np.minimum.accumulate([trial.loss or 0.0 for trial in run.in_order_of_end()])
            runs.append([(best[n - 1] - least) / unit for n in BUDGETS])
    found: NDArray[np.float64] = np.mean(runs, axis=0)
    return found


@contextmanager
def _known(points: Sequence[Mapping[str, object]]) -> Iterator[None]:
    """Let searches begin with these points."""
    shipped = portfolio.FOREST
    portfolio.FOREST = tuple(dict(point) for point in points)
    try:
        yield
    finally:
        portfolio.FOREST = shipped
