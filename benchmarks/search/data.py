"""The data sets of the tables, each as the trainer would see it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_friedman1

from trainer.dataset import load_dataset

ROWS = 400
REGRESSION = ("squared_error", "poisson")
CLASSIFICATION = ("gini", "entropy")
Arrays = tuple[NDArray[np.float32], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows to learn from.

    Attributes:
        x: float32 (n, n_features).
        y: float64 (n,), the target or the index of its class.
        criteria: what a split may minimise.
    """

    name: str
    task: str
    trees: int
    x: NDArray[np.float32]
    y: NDArray[np.float64]
    criteria: tuple[str, ...]


def load_rows(name: str) -> Data:
    """Make the rows of a table, the same in every run."""
    task, trees, source = SETS[name]
    x, y = source()
    return Data(name, task, trees, x, y, _task_criteria(task, y))


def _task_criteria(task: str, y: NDArray[np.float64]) -> tuple[str, ...]:
    """Return all that scikit-learn has; poisson needs a target that is never negative."""
    if task == "classification":
        return CLASSIFICATION
    if y.min() >= 0:
        return REGRESSION
    return REGRESSION[:1]


def _built_in(name: str) -> Callable[[], Arrays]:
    def source() -> Arrays:
        data = load_dataset(name)
        return data.matrix(data.training), data.training.y

    return source


def _whole_boston() -> Arrays:
    """Return all 506 rows and 13 columns, as published results have them."""
    data = load_dataset("boston_published")
    parts = (data.training, data.holdout)
    return np.concatenate([data.matrix(part) for part in parts]), np.concatenate(
        [part.y for part in parts]
    )


def _friedman() -> Arrays:
    x, y = make_friedman1(n_samples=ROWS, n_features=10, noise=1.0, random_state=0)
    return x.astype(np.float32), y


def _digits() -> Arrays:
    x, y = load_digits(return_X_y=True)
    some = np.random.default_rng(0).choice(len(y), ROWS, replace=False)
    return x[some].astype(np.float32), y[some].astype(np.float64)


# Task, trees in a forest, rows: of the built-in sets the training part, as in the shipped
# Experiment.
SETS: dict[str, tuple[str, int, Callable[[], Arrays]]] = {
    "boston": ("regression", 60, _built_in("boston")),
    "boston_whole": ("regression", 60, _whole_boston),
    "diabetes": ("regression", 40, _built_in("diabetes")),
    "friedman1": ("regression", 40, _friedman),
    "wine": ("classification", 30, _built_in("wine")),
    "breast_cancer": ("classification", 30, _built_in("breast_cancer")),
    "digits": ("classification", 30, _digits),
}
