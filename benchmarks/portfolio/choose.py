"""Choose few points so that on most tables one of them is good.

Greedily, as Feurer et al. 2022 (Auto-sklearn 2.0, section 3.1) do: each point is the one that
lowers the mean regret most, beside what the default and the points before it reach. A regret is the
distance from a table's least loss, of which one is the distance that a tenth of all forests keep;
what is worse than these counts as one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.grid import DEPTH, LEAF, MAX_FEATURES, MAX_SAMPLES, SPLIT, WHOLE
from benchmarks.search.tables import Table

Regrets = NDArray[np.float64]
GOOD = 0.1  # of all forests


def regrets(losses: NDArray[np.float64]) -> Regrets:
    """Return each point's regret on its table, within [0, 1]: float64 (..., points)."""
    least = losses.min(axis=-1, keepdims=True)
    unit = np.quantile(losses, GOOD, axis=-1, keepdims=True) - least
    found: Regrets = np.minimum((losses - least) / unit, 1.0)
    return found


def forest_regrets(table: Table) -> Regrets:
    """Return each forest's regret with the first criterion: float64 (forests,) within [0, 1]."""
    return regrets(table.means[0].ravel())


def default_place(table: Table) -> int:
    """Return the place of scikit-learn's default forest among a table's regrets."""
    return int(np.ravel_multi_index(table.default_cell[1:], table.grid.shape[1:]))


def chosen_places(found: Regrets, reached: Regrets, count: int) -> list[int]:
    """Return the places of points.

    Args:
        found: float64 (tables, forests), regrets.
        reached: float64 (tables,), what the default reaches.
        count: how many points.
    """
    places: list[int] = []
    for _ in range(count):
        places.append(int(np.minimum(found, reached[:, None]).mean(axis=0).argmin()))
        reached = np.minimum(reached, found[:, places[-1]])
    return places


def without_each(found: Regrets, reached: Regrets, count: int) -> list[list[int]]:
    """Return for each table the places that are chosen when it is left out."""
    rest = [np.arange(len(found)) != k for k in range(len(found))]
    return [chosen_places(found[others], reached[others], count) for others in rest]


def held_out(found: Regrets, reached: Regrets, places: Sequence[Sequence[int]]) -> Regrets:
    """Return what each table's own points of `without_each` reach on it: float64 (tables,)."""
    least: Regrets = np.minimum(reached, [found[k, own].min() for k, own in enumerate(places)])
    return least


def by_chance(found: Regrets, reached: Regrets, count: int) -> Regrets:
    """Return what the default and as many random forests reach on average: float64 (tables,)."""
    rng = np.random.default_rng(0)
    draws = [found[:, rng.integers(found.shape[1], size=count)].min(axis=1) for _ in range(1000)]
    mean: Regrets = np.minimum(reached, draws).mean(axis=0)
    return mean


def point_at(place: int, tables: Sequence[Table]) -> dict[str, object]:
    """Return the hyperparameters at a place."""
    features, leaf, sampling, depth, split = np.unravel_index(place, tables[0].grid.shape[1:])
    drawn = {} if sampling == WHOLE else {"max_samples": MAX_SAMPLES[sampling - 1]}
    return {
        "max_features": MAX_FEATURES[features],
        "min_samples_leaf": LEAF[leaf],
        "min_samples_split": SPLIT[split],
        "max_depth": DEPTH[depth],
        "bootstrap": bool(sampling != WHOLE),
        **drawn,
    }
