"""Populations to draw data sets from; what is expected of each row is known exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import NearestNeighbors

from trainer.dataset import load_dataset

Floats = NDArray[np.float64]
World = Literal["same", "covariate", "concept"]
WIDTH = 10  # columns
GROUP_ROWS = 5
GROUP_EFFECT = 2.0  # standard deviation
MOVED = 0.5  # how far the covariates move
RARE = 0.05


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows of a population.

    Attributes:
        x: float32 (n, width).
        y: float64 (n,), what is observed: a number, or a class's index.
        expected: float64 (n,), the mean of y given x; of classes the probability of class 1.
        variance: float64 (n,), the variance of y given x.
        group: uint64 (n,), equal where rows belong together; None without groups.
    """

    x: NDArray[np.float32]
    y: Floats
    expected: Floats
    variance: Floats
    group: NDArray[np.uint64] | None = None

    def take(self, rows: NDArray[np.int64] | slice) -> "Draw":
        """Return some of the rows."""
        return Draw(
            self.x[rows],
            self.y[rows],
            self.expected[rows],
            self.variance[rows],
            None if self.group is None else self.group[rows],
        )

    def join(self, other: "Draw") -> "Draw":
        """Return the rows of both; neither may have groups."""
        return Draw(
            np.concatenate([self.x, other.x]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.expected, other.expected]),
            np.concatenate([self.variance, other.variance]),
        )


@dataclass(frozen=True, slots=True)
class Population:
    """Where data sets come from.

    Attributes:
        name: short, for file and table.
        words: what it is.
        metric: what is compared.
        draw: (generator, rows, world) -> rows; worlds other than "same" exist for friedman1 only.
    """

    name: str
    words: str
    metric: str
    draw: Callable[[np.random.Generator, int, World], Draw]

    @property
    def classes(self) -> bool:
        """Whether the target is a class."""
        return self.metric == "log_loss"


def expected_loss(population: Population, rows: Draw, predicted: Floats) -> float:
    """Return the mean loss that predictions have in truth, without the luck of the rows' y.

    Args:
        population: says which loss.
        rows: what was predicted.
        predicted: float64 (n, 1), or (n, 2) probabilities.
    """
    if not population.classes:
        return float(np.mean((predicted[:, 0] - rows.expected) ** 2 + rows.variance))
    logs = np.log(np.clip(predicted, 1e-15, 1.0))
    return float(-np.mean((1 - rows.expected) * logs[:, 0] + rows.expected * logs[:, 1]))


def _friedman(x: NDArray[np.float32], world: World) -> Floats:
    a, b, c, d, e = x[:, :5].astype(np.float64).T
    if world == "concept":
        a = 1 - a
    found: Floats = 10 * np.sin(np.pi * a * b) + 20 * (c - 0.5) ** 2 + 10 * d + 5 * e
    return found


def _uniform(rng: np.random.Generator, n: int, world: World = "same") -> NDArray[np.float32]:
    x = rng.random((n, WIDTH))
    if world == "covariate":
        x[:, :2] += MOVED
    return x.astype(np.float32)


def _draw_friedman(rng: np.random.Generator, n: int, world: World) -> Draw:
    x = _uniform(rng, n, world)
    f = _friedman(x, world)
    return Draw(x, f + rng.normal(size=n), f, np.ones(n))


def _draw_heavy(rng: np.random.Generator, n: int, world: World) -> Draw:
    x = _uniform(rng, n, world)
    spread = 0.6
    scale = np.exp(_friedman(x, world) / 8)
    mean = scale * np.exp(spread**2 / 2)
    variance = mean**2 * (np.exp(spread**2) - 1)
    return Draw(x, scale * rng.lognormal(0.0, spread, n), mean, variance)


def _draw_classes(intercept: float) -> Callable[[np.random.Generator, int, World], Draw]:
    def draw(rng: np.random.Generator, n: int, world: World) -> Draw:
        x = _uniform(rng, n, world)
        share = 1 / (1 + np.exp(-(_friedman(x, world) - intercept) / 2))
        return Draw(x, (rng.random(n) < share).astype(np.float64), share, share * (1 - share))

    return draw


@cache
def _intercept(share: float) -> float:
    """Return the intercept at which this share of the rows is of class 1."""
    values = np.sort(_friedman(_uniform(np.random.default_rng(0), 20_000), "same"))
    low = float(values[0])
    high = float(values[-1]) + 20
    while high - low > 1e-6:
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(values - middle) / 2))) > share:
            low = middle
        else:
            high = middle
    return low


def _draw_groups(rng: np.random.Generator, n: int, world: World) -> Draw:
    groups = -(-n // GROUP_ROWS)
    group = np.repeat(np.arange(groups, dtype=np.uint64), GROUP_ROWS)[:n]
    at = group.astype(np.int64)
    centre = _uniform(rng, groups, world)[at]
    x = (centre + rng.normal(0, 0.01, (n, WIDTH))).astype(np.float32)
    f = _friedman(x, world)
    effect = rng.normal(0, GROUP_EFFECT, groups)[at]
    return Draw(x, f + effect + rng.normal(size=n), f, np.full(n, 1 + GROUP_EFFECT**2), group)


@cache
def _boston() -> tuple[NDArray[np.float64], RandomForestRegressor, Floats, NDArray[np.int64]]:
    data = load_dataset("boston")
    x = np.vstack([data.matrix(data.training), data.matrix(data.holdout)]).astype(np.float64)
    y = np.concatenate([data.training.y, data.holdout.y])
    forest = RandomForestRegressor(500, max_features=0.33, oob_score=True, random_state=0)
    forest.fit(x, y)
    spread = x / x.std(axis=0)
    near = NearestNeighbors(n_neighbors=6).fit(spread).kneighbors(spread, return_distance=False)
    return x, forest, y - forest.oob_prediction_, near[:, 1:]


def _draw_boston(rng: np.random.Generator, n: int, world: World) -> Draw:  # noqa: ARG001 - a draw
    x, forest, residuals, near = _boston()
    first = rng.integers(len(x), size=n)
    second = near[first, rng.integers(near.shape[1], size=n)]
    made = x[first] + rng.random((n, 1)) * (x[second] - x[first])
    mean = forest.predict(made)
    # By its sign alone a residual is no longer what rows from the same place have in common: a
    # forest could learn that, and the mean would not be what is expected.
    sign = rng.choice([-1.0, 1.0], n)
    residual = sign * residuals[np.where(rng.random(n) < 0.5, first, second)]
    variance = (residuals[first] ** 2 + residuals[second] ** 2) / 2
    return Draw(made.astype(np.float32), mean + residual, mean, variance)


POPULATIONS = (
    Population("boston", "Boston-like: between neighbours", "mse", _draw_boston),
    Population("friedman1", "Friedman's first function", "mse", _draw_friedman),
    Population("heavy", "heavy tail: lognormal noise, exponential target", "mse", _draw_heavy),
    Population("half", "two classes, 50 % positives", "log_loss", _draw_classes(_intercept(0.5))),
    Population("rare", "two classes, 5 % positives", "log_loss", _draw_classes(_intercept(RARE))),
    Population("groups", "five rows a group, with effects of the group", "mse", _draw_groups),
)
