"""What a cross-validation gives besides its score: residuals to plot, and a prediction interval.

Both come from predictions for rows that the predicting model never saw, and need no further fit.
Neither reads the holdout: only the gate does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from registry.package import MAX_RESIDUALS, Interval
from registry.package.losses import Floats
from trainer.dataset import DatasetPart

COVERAGE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """Predictions for rows of the training part, in its order.

    Attributes:
        predicted: float64 (n, 1), or (n, n_classes) shares.
        fold: int64 (n,), the fold whose model, which had not seen the row, predicted it.
        rows: int64 (n,), the rows' positions; all, but for the first of expanding windows.
    """

    predicted: Floats
    fold: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def join(cls, tests: Sequence[NDArray[np.int64]], predicted: Sequence[Floats]) -> Self:
        """Put what each fold's model predicted for its test rows back into the rows' order."""
        rows = np.concatenate(tests)
        order = np.argsort(rows)
        fold = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
        return cls(np.concatenate(predicted)[order], fold[order], rows[order])


def sample_residuals(found: OutOfFold, part: DatasetPart, *, task: str) -> Floats:
    """Return what `ModelPackage.residuals` holds, for the rows with the smallest hashes.

    Hashes are as good as random, so the sample is fair, and the same whatever the file's order.
    """
    chosen = np.argsort(part.rows[found.rows], kind="stable")[:MAX_RESIDUALS]
    predicted = found.predicted[chosen]
    observed = part.y[found.rows][chosen]
    if task == "regression":
        return np.column_stack([predicted[:, 0], observed])
    return np.column_stack(
        [predicted.argmax(axis=1).astype(np.float64), observed, predicted.max(axis=1)]
    )


def prediction_interval(found: OutOfFold, y: Floats) -> Interval:
    """Return the interval that contains nine of ten observations; see `Interval`.

    Args:
        found: for the training part.
        y: float64 (n_training,), its targets.
    """
    distance = np.abs(y[found.rows] - found.predicted[:, 0])
    held = [
        distance[found.fold == k] <= _half_width(distance[found.fold != k])
        for k in np.unique(found.fold)
    ]
    measured = float(np.concatenate(held).mean())
    return Interval(coverage=COVERAGE, half_width=_half_width(distance), measured=measured)


def _half_width(distance: Floats) -> float:
    """Return the ceil((n + 1) COVERAGE)-th smallest distance; n is at least 9."""
    return float(np.sort(distance)[math.ceil((len(distance) + 1) * COVERAGE) - 1])
