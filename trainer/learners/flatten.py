"""Turns a fitted estimator into a flat forest, and proves that the two answer alike."""

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags

from registry.package import FlatForest, Output
from trainer.errors import TrainerError
from trainer.learners.learner import Estimator
from trainer.learners.table import find_learner

SPLITS = 200  # thresholds that the proof looks at
TRAINING_ROWS = 200  # rows of the training part that it looks at, as they are and with gaps
MISSING_SHARE = 0.3  # of the cells in rows with gaps


def flatten_estimator(estimator: Estimator, *, n_features: int) -> tuple[FlatForest, Output]:
    """Return the trees and how to combine them.

    Sums are those of the estimator's library bit for bit (docs/models.md).

    Raises:
        TrainerError: when no learner made it, or its package cannot hold it.
    """
    return find_learner(estimator).flatten(estimator, n_features)


def proof_rows(forest: FlatForest, x: NDArray[np.float32], *, gaps: bool) -> NDArray[np.float32]:
    """Return rows on which a package is compared with the estimator that it was made from.

    They are rows of the training part; for a sample of the trees' thresholds, such rows with a
    value on the threshold, the next one above and the next one below; and rows with gaps.

    Args:
        forest: the package's trees.
        x: float32 (n, n_features), the encoded training part.
        gaps: whether rows with missing values are among them.

    Returns:
        float32 (n, n_features), the same for the same arguments.
    """
    rng = np.random.default_rng(0)
    inner = (forest.left != np.arange(forest.n_nodes)) & np.isfinite(forest.threshold)
    splits = rng.permutation(np.flatnonzero(inner))[:SPLITS]
    own = x[rng.permutation(len(x))[:TRAINING_ROWS]]
    parts = [own]
    for towards in (None, np.inf, -np.inf):
        rows = x[rng.integers(0, len(x), len(splits))]
        value = forest.threshold[splits]
        if towards is not None:
            value = np.nextafter(value, np.float32(towards))
        rows[np.arange(len(splits)), forest.feature[splits]] = value
        parts.append(rows[np.isfinite(value)])
    if gaps:
        missing = rng.random(own.shape) < MISSING_SHARE
        parts.append(np.where(missing, np.float32(np.nan), own))
        parts.append(np.full((1, x.shape[1]), np.float32(np.nan)))
    return np.concatenate(parts)


def takes_missing(estimator: Estimator) -> bool:
    """Whether a fitted estimator predicts rows with missing values."""
    allowed: bool = get_tags(estimator).input_tags.allow_nan
    return allowed


def refuse_difference(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], *, allowed: float, name: str
) -> None:
    """Compare a package's answers with the estimator's.

    Args:
        mine: float64 (n, n_outputs), the package's.
        theirs: the same shape, the estimator's.
        allowed: the largest difference that is no fault; 0 where bits must be equal.
        name: of the learner.

    Raises:
        TrainerError: when an answer differs by more.
    """
    with np.errstate(invalid="ignore"):  # inf - inf, which is equal
        differs = np.abs(mine - theirs) > allowed
    wrong = differs | (np.isnan(mine) != np.isnan(theirs)) | (np.isinf(theirs) & (mine != theirs))
    if mine.shape == theirs.shape and not wrong.any():
        return
    row, column = np.argwhere(wrong)[0]
    count = wrong.any(axis=1).sum()
    raise TrainerError(
        f"the package of this {name} does not answer as its library does: {count} of {len(mine)} "
        f"rows differ, the first has {mine[row, column]:.17g} for {theirs[row, column]:.17g}",
        hint="report it with the libraries' versions, and use another `--model` until it is fixed",
    )
