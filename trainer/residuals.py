"""What a cross-validation leaves behind besides its score: pairs to plot, and a prediction interval.

Both come from predictions for rows that the predicting model never saw, and cost no fit more. The holdout has no part
in either: it is the gate's.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.package import MAX_RESIDUALS, Interval

COVERAGE = 0.9
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions for the training part, in its order.

    Attributes:
        predicted: float64 (n, 1), or (n, n_classes) shares.
        fold: int64 (n,), the fold whose model, which had not seen the row, predicted it.
    """

    predicted: Floats
    fold: NDArray[np.int64]


def residuals(found: OutOfFold, y: Floats, rows: NDArray[np.uint64], *, task: str) -> Floats:
    """Return what `ModelPackage.residuals` says, for the rows with the smallest hashes.

    The hashes are as good as random, so it is a fair sample, and the same one whatever the order of the file.
    """
    chosen = np.argsort(rows, kind="stable")[:MAX_RESIDUALS]
    predicted = found.predicted[chosen]
    observed = y[chosen]
    if task == "regression":
        return np.column_stack([predicted[:, 0], observed])
    return np.column_stack(
        [predicted.argmax(axis=1).astype(np.float64), observed, predicted.max(axis=1)]
    )


def interval(found: OutOfFold, y: Floats) -> Interval:
    """Return the interval that holds nine of ten observations; see `Interval`."""
    distance = np.abs(y - found.predicted[:, 0])
    held = [
        distance[found.fold == k] <= _half_width(distance[found.fold != k])
        for k in np.unique(found.fold)
    ]
    measured = float(np.concatenate(held).mean())
    return Interval(coverage=COVERAGE, half_width=_half_width(distance), measured=measured)


def _half_width(distance: Floats) -> float:
    """Return the ceil((n + 1) COVERAGE)-th smallest; a training part has more rows than the 9 that this takes."""
    return float(np.sort(distance)[math.ceil((len(distance) + 1) * COVERAGE) - 1])
