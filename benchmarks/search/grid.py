"""The grid of a table: the shipped Experiment's space, and the values of it that are fitted.

Axes, in the order of the table: criterion, max_features, min_samples_leaf, sampling (without
bootstrap, then max_samples), max_depth, min_samples_split. The last two are read off the grown
trees (see `truncation`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from katib.space import Parameter

MAX_FEATURES = (0.15, 0.25, 0.35, 0.45, 0.55, 0.7, 0.85, 1.0)
LEAF = (1, 2, 3, 5, 8, 13, 20)
MAX_SAMPLES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
DEPTH = (4, 5, 6, 7, 8, 10, 12, 14, 17, 20, 25, 30)
SPLIT = (2, 3, 4, 6, 8, 11, 15, 20, 25, 30)
WHOLE = 0  # the place of "without bootstrap" on the axis of sampling

Fit = tuple[int, int, int, int]
Cell = tuple[int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid for a task's criteria."""

    criteria: tuple[str, ...]

    @property
    def shape(self) -> Cell:
        """Levels of each axis."""
        return (
            len(self.criteria),
            len(MAX_FEATURES),
            len(LEAF),
            len(MAX_SAMPLES) + 1,
            len(DEPTH),
            len(SPLIT),
        )

    def parameters(self, *, log: bool = True) -> tuple[Parameter, ...]:
        """The search space: leaf and split sizes on a log scale, or as most people write it."""
        sizes = "logUniform" if log else "uniform"
        space = (
            Parameter("max_features", "double", 0.15, 1.0),
            Parameter("min_samples_leaf", "int", 1, 20, 1.0, distribution=sizes),
            Parameter("min_samples_split", "int", 2, 30, 1.0, distribution=sizes),
            Parameter("max_depth", "int", 4, 30, 1.0),
            Parameter("bootstrap", "categorical", choices=("true", "false")),
            Parameter("max_samples", "double", 0.5, 1.0),
        )
        criterion = Parameter("criterion", "categorical", choices=self.criteria)
        if len(self.criteria) > 1:
            return (*space, criterion)
        return space

    def cell(self, assignments: Mapping[str, str]) -> Cell:
        """Return the cell nearest to a point; for sizes, nearest on the log scale."""
        sampling = WHOLE
        if assignments["bootstrap"] == "true":
            sampling = 1 + _nearest_level(MAX_SAMPLES, float(assignments["max_samples"]))
        return (
            self.criteria.index(assignments.get("criterion", self.criteria[0])),
            _nearest_level(MAX_FEATURES, float(assignments["max_features"])),
            _nearest_level(_log_levels(LEAF), math.log(float(assignments["min_samples_leaf"]))),
            sampling,
            _nearest_level(DEPTH, float(assignments["max_depth"])),
            _nearest_level(_log_levels(SPLIT), math.log(float(assignments["min_samples_split"]))),
        )

    def settings(self, fit: Fit) -> dict[str, object]:
        """Return scikit-learn's arguments for the forests of a place on the first four axes."""
        criterion, features, leaf, sampling = fit
        return {
            "criterion": self.criteria[criterion],
            "max_features": MAX_FEATURES[features],
            "min_samples_leaf": LEAF[leaf],
            "bootstrap": sampling != WHOLE,
            "max_samples": None if sampling == WHOLE else MAX_SAMPLES[sampling - 1],
        }


def default_forest(task: str, criterion: str, features: int) -> dict[str, object]:
    """Return scikit-learn's default forest as hyperparameters; its share of columns as a number."""
    share = 1.0 if task == "regression" else math.sqrt(features) / features
    return {
        "max_features": share,
        "min_samples_leaf": 1,
        "min_samples_split": 2,
        "max_depth": None,
        "bootstrap": True,
        "max_samples": None,
        "criterion": criterion,
    }


def _nearest_level(levels: Sequence[float], value: float) -> int:
    return min(range(len(levels)), key=lambda place: abs(levels[place] - value))


def _log_levels(levels: Sequence[float]) -> list[float]:
    return [math.log(level) for level in levels]
