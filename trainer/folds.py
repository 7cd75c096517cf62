"""Divides a training part into the folds of a cross-validation, for search, finalists and gate.

Rows that belong together never stand on both sides of a fold: groups by `[split] by`, and equal
rows always. Where `[split] time` is given, no fold is predicted by a model that saw later rows.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from trainer.dataset import Dataset
from trainer.errors import TrainerError

Positions = NDArray[np.int64]
Floats = NDArray[np.float64]
EDGE_SHIFT = 0.25  # of a window; how far a seed moves the edges of expanding windows either way


class Fold(NamedTuple):
    """Positions in the training part, int64 each: rows to fit on, and rows to predict."""

    training: Positions
    test: Positions


def cross_validation_folds(dataset: Dataset, *, n: int, seed: int) -> list[Fold]:
    """Divide a data set's training part into n folds.

    Classes keep their shares. Each row is tested once; with expanding windows at most once, since
    the first window is only learned from.

    Args:
        dataset: its training part is divided.
        n: how many folds.
        seed: another seed, other folds; of expanding windows it moves the edges.

    Raises:
        TrainerError: when there are more folds than rows, groups, times, or rows of any class.
    """
    part = dataset.training
    if part.time is not None:
        return expanding_windows(part.time, n=n, seed=seed)
    together = part.rows if part.group is None else part.group
    return shuffled_folds(part.y, n=n, seed=seed, classes=bool(dataset.classes), together=together)


def shuffled_folds(
    y: Floats,
    *,
    n: int,
    seed: int,
    classes: bool,
    together: NDArray[np.uint64] | None = None,
) -> list[Fold]:
    """Divide rows into n folds at random.

    Args:
        y: float64 (n_rows,), the target, or the class index.
        n: how many folds.
        seed: of the shuffling.
        classes: whether `y` is a class index; then each fold gets its share of each class.
        together: (n_rows,), rows with equal values are in one fold.

    Raises:
        TrainerError: when the rows, the groups, or those of any class are too few for n folds.
    """
    if together is None or _all_different(together):
        return _folds_of_rows(y, n=n, seed=seed, classes=classes)
    _, first, group = np.unique(together, return_index=True, return_inverse=True)
    if classes and not np.array_equal(y, y[first][group]):
        return _folds_of_mixed_groups(y, group, n=n, seed=seed)
    folds = _folds_of_rows(y[first], n=n, seed=seed, classes=classes)
    return [Fold(*(np.flatnonzero(np.isin(group, side)) for side in fold)) for fold in folds]


def expanding_windows(time: NDArray[np.int64], *, n: int, seed: int) -> list[Fold]:
    """Divide rows into n windows of time; each is predicted by what came before it.

    Args:
        time: int64 (n_rows,), ordered as the rows' times are; equal times are in one window.
        n: how many windows are predicted; one more comes before them.
        seed: moves the windows' edges by up to a quarter of a window.

    Raises:
        TrainerError: when there are too few different times.
    """
    order = np.argsort(time, kind="stable")
    shift = np.random.default_rng(seed).uniform(-EDGE_SHIFT, EDGE_SHIFT)
    edges = (len(time) * (np.arange(1, n + 1) + shift) / (n + 1)).round().astype(int)
    starts = np.searchsorted(time[order], time[order][edges])  # a window begins with a new time
    bounds = [*starts.tolist(), len(time)]
    if len({0, *bounds}) < n + 2:
        raise _too_many_folds(n, f"{len(np.unique(time))} different times are too few")
    return [Fold(order[:start], order[start:end]) for start, end in pairwise(bounds)]


def tested_rows(folds: Sequence[Fold]) -> Positions:
    """Return the positions that are tested by any of the folds, ascending."""
    return np.unique(np.concatenate([fold.test for fold in folds]))


def _all_different(values: NDArray[np.uint64]) -> bool:
    ordered = np.sort(values)  # a part's hashes nearly are: sooner than hashing them once more
    return not (ordered[1:] == ordered[:-1]).any()


def _folds_of_rows(y: Floats, *, n: int, seed: int, classes: bool) -> list[Fold]:
    kind = StratifiedKFold if classes else KFold
    splitter = kind(n_splits=n, shuffle=True, random_state=seed)
    try:
        return [Fold(*fold) for fold in splitter.split(y[:, None], y)]
    except ValueError as error:
        raise _too_many_folds(n, str(error)) from error


def _folds_of_mixed_groups(y: Floats, group: NDArray[np.int64], *, n: int, seed: int) -> list[Fold]:
    splitter = StratifiedGroupKFold(n_splits=n, shuffle=True, random_state=seed)
    try:
        folds = [Fold(*fold) for fold in splitter.split(y[:, None], y, group)]
    except ValueError as error:
        raise _too_many_folds(n, str(error)) from error
    if not all(len(fold.test) for fold in folds):
        raise _too_many_folds(n, f"{group.max() + 1} groups are too few")
    return folds


def _too_many_folds(n: int, reason: str) -> TrainerError:
    return TrainerError(f"{n} folds are too many for these data: {reason}", hint="use fewer folds")
