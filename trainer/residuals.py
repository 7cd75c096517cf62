"""What a cross-validation gives besides its score: residuals to plot, and a prediction interval.

Both come from predictions for rows that the predicting model never saw, and need no further fit.
Neither reads the holdout: only the gate does.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.package import MAX_RESIDUALS, Interval
from registry.package.losses import Floats

COVERAGE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions for the training part, in its order.

    Attributes:
        predicted: float64 (n, 1), or (n, n_classes) shares.
        fold: int64 (n,), the fold whose model, which had not seen the row, predicted it.
    """

    predicted: Floats
    fold: NDArray[np.int64]


def sample_residuals(found: OutOfFold, y: Floats, rows: NDArray[np.uint64], *, task: str) -> Floats:
    """Return what `ModelPackage.residuals` holds, for the rows with the smallest hashes.

    Hashes are as good as random, so the sample is fair, and the same whatever the file's order.
    """
    chosen = np.argsort(rows, kind="stable")[:MAX_RESIDUALS]
    predicted = found.predicted[chosen]
    observed = y[chosen]
    if task == "regression":
        return np.column_stack([predicted[:, 0], observed])
    return np.column_stack(
        [predicted.argmax(axis=1).astype(np.float64), observed, predicted.max(axis=1)]
    )


def prediction_interval(found: OutOfFold, y: Floats) -> Interval:
    """Return the interval that contains nine of ten observations; see `Interval`."""
    distance = np.abs(y - found.predicted[:, 0])
    held = [
        distance[found.fold == k] <= _half_width(distance[found.fold != k])
        for k in np.unique(found.fold)
    ]
    measured = float(np.concatenate(held).mean())
    return Interval(coverage=COVERAGE, half_width=_half_width(distance), measured=measured)


def _half_width(distance: Floats) -> float:
    """Return the ceil((n + 1) COVERAGE)-th smallest distance; n is at least 9."""
    return float(np.sort(distance)[math.ceil((len(distance) + 1) * COVERAGE) - 1])
