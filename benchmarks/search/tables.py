"""Exact lookup tables: the cross-validation loss of every forest of a grid, each fold by itself.

Made once, about five CPU minutes each, and kept below `.cache/search`; their names hold a digest of
all that made them.
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.search.data import Data, load_rows
from benchmarks.search.grid import (
    DEPTH,
    LEAF,
    MAX_FEATURES,
    MAX_SAMPLES,
    SPLIT,
    Cell,
    Fit,
    Grid,
    default_forest,
)
from benchmarks.search.truncation import Fold, fold_losses
from katib.space import Parameter

CACHE = Path(__file__).parents[2] / ".cache" / "search"
FOLDS = 5
METHOD = 1  # a new number makes new tables


@dataclass(frozen=True, eq=False)
class Table:
    """A table; points are Katib's assignments, name to text.

    Attributes:
        data: the rows.
        losses: float32, the grid's shape and then the folds.
    """

    data: Data
    losses: NDArray[np.float32]

    @property
    def name(self) -> str:
        """The data set's name."""
        return self.data.name

    @cached_property
    def grid(self) -> Grid:
        """What is fitted."""
        return Grid(self.data.criteria)

    @cached_property
    def key(self) -> str:
        """A digest of all that made the table."""
        return table_digest(self.data)

    @property
    def parameters(self) -> list[Parameter]:
        """The shipped Experiment's space."""
        return list(self.grid.parameters())

    @cached_property
    def first(self) -> dict[str, object]:
        """The hyperparameters of scikit-learn's default, for trial 0."""
        return default_forest(self.data.task, self.data.criteria[0], self.data.x.shape[1])

    def cell(self, assignments: Mapping[str, str]) -> Cell:
        """The cell nearest to a point."""
        return self.grid.cell(assignments)

    def folds(self, assignments: Mapping[str, str]) -> NDArray[np.float32]:
        """The loss on each fold, float32 (5,)."""
        found: NDArray[np.float32] = self.losses[self.cell(assignments)]
        return found

    def loss(self, assignments: Mapping[str, str]) -> float:
        """The mean over folds: what a trial reports."""
        return float(self.means[self.cell(assignments)])

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """The mean over folds of every cell, float64, the grid's shape."""
        found: NDArray[np.float64] = self.losses.astype(np.float64).mean(axis=-1)
        return found

    @property
    def minimum(self) -> float:
        """The least loss of all cells."""
        return float(self.means.min())

    @cached_property
    def default_cell(self) -> Cell:
        """Where scikit-learn's default forest lies."""
        nearest = {p.name: p.nearest(self.first[p.name]) for p in self.parameters}
        return self.cell({name: value for name, value in nearest.items() if value is not None})

    @property
    def default(self) -> float:
        """The loss of scikit-learn's default forest."""
        return float(self.means[self.default_cell])


def table_digest(data: Data) -> str:
    """Return 12 digits that change with the rows, the grid, the method or scikit-learn."""
    levels = [MAX_FEATURES, LEAF, MAX_SAMPLES, DEPTH, SPLIT]
    about = [
        METHOD,
        data.name,
        data.task,
        data.trees,
        data.criteria,
        levels,
        FOLDS,
        sklearn.__version__,
    ]
    content = json.dumps(about).encode() + data.x.tobytes() + data.y.tobytes()
    return hashlib.sha256(content).hexdigest()[:12]


def load_table(name: str) -> Table:
    """Return the table of a name of `data.SETS`; see `table_of`."""
    return table_of(load_rows(name))


def table_of(data: Data) -> Table:
    """Read a table, or make it where there is none yet (some minutes)."""
    path = CACHE / f"{data.name}-{table_digest(data)}.npz"
    if not path.exists():
        losses = build_losses(data)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path.with_suffix(".new.npz"), losses=losses)
        path.with_suffix(".new.npz").replace(path)
    with np.load(path) as stored:
        return Table(data, stored["losses"])


def build_losses(data: Data) -> NDArray[np.float32]:
    """Fit every forest of the grid on every fold of the search."""
    grid = Grid(data.criteria)
    losses = np.empty((*grid.shape, FOLDS), dtype=np.float32)
    splits = split_folds(data, seed=0)
    begun = time.process_time()
    for place in np.ndindex(grid.shape[:4]):
        fit = (place[0], place[1], place[2], place[3])
        losses[fit] = fitted_losses(data, fit, splits, seed=0)
    print(
        f"{data.name}: {losses[..., 0].size} cells, {time.process_time() - begun:.0f} CPU s",
        file=sys.stderr,
    )
    return losses


def fitted_losses(data: Data, fit: Fit, splits: list[Fold], *, seed: int) -> NDArray[np.float32]:
    """Return the losses of a place's truncated forests: float32 (depths, splits, folds)."""
    settings = {
        **Grid(data.criteria).settings(fit),
        "n_estimators": data.trees,
        "random_state": seed,
    }
    found = [
        fold_losses(data.x, data.y, fold, settings, task=data.task, cuts=(DEPTH, SPLIT))
        for fold in splits
    ]
    return np.stack(found, axis=-1).astype(np.float32)


def split_folds(data: Data, *, seed: int) -> list[Fold]:
    """Split the rows as the trainer does with this fold seed."""
    kind = KFold if data.task == "regression" else StratifiedKFold
    return list(
        kind(n_splits=FOLDS, shuffle=True, random_state=seed).split(data.y[:, None], data.y)
    )
