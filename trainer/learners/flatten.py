"""Turns a fitted estimator into a predictor, and proves that the two answer alike."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import get_tags

from registry.package import FlatForest, Output, Predictor
from trainer.errors import TrainerError
from trainer.learners.learner import Estimator, last_step
from trainer.learners.table import find_learner

SPLITS = 200  # thresholds that the proof looks at
TRAINING_ROWS = 200  # rows of the training part that it looks at, as they are and with gaps
STRETCH = 3  # powers of ten
MISSING_SHARE = 0.3  # of the cells in rows with gaps


def flatten_estimator(estimator: Estimator, *, n_features: int) -> tuple[Predictor, Output]:
    """Return what the package predicts with, and how its sums become predictions.

    Sums are those of the estimator's library, up to `Predictor.rounding` (docs/models.md).

    Raises:
        TrainerError: when no learner made it, or its package cannot hold it.
    """
    learner = find_learner(estimator)
    if learner.left_categories(last_step(estimator)):
        raise TrainerError(
            "categorical splits cannot be packaged without the columns' names",
            hint="package it by `tg.package`",
        )
    return learner.flatten(estimator, n_features)


def proof_rows(predictor: Predictor, x: NDArray[np.float32], *, gaps: bool) -> NDArray[np.float32]:
    """Return rows on which a package is compared with the estimator that it was made from.

    They are rows of the training part, and rows with gaps. Of trees, for a sample of their
    thresholds, also such rows with a value on the threshold, the next one above and the next one
    below; of a linear model, rows whose cells are up to a thousand times as large or as small.

    Args:
        predictor: the package's.
        x: float32 (n, n_features), the encoded training part.
        gaps: whether rows with missing values are among them.

    Returns:
        float32 (n, n_features), the same for the same arguments.
    """
    rng = np.random.default_rng(0)
    own = x[rng.permutation(len(x))[:TRAINING_ROWS]]
    parts = [own]
    if isinstance(predictor, FlatForest):
        parts += _threshold_rows(predictor, x, rng)
    else:
        parts.append(_stretched_rows(own, rng))
    if gaps:
        missing = rng.random(own.shape) < MISSING_SHARE
        parts.append(np.where(missing, np.float32(np.nan), own))
        parts.append(np.full((1, x.shape[1]), np.float32(np.nan)))
    return np.concatenate(parts)


def _threshold_rows(
    forest: FlatForest, x: NDArray[np.float32], rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    inner = (forest.left != np.arange(forest.n_nodes)) & np.isfinite(forest.threshold)
    splits = rng.permutation(np.flatnonzero(inner))[:SPLITS]
    for towards in (None, np.inf, -np.inf):
        rows = x[rng.integers(0, len(x), len(splits))]
        value = forest.threshold[splits]
        if towards is not None:
            with np.errstate(over="ignore"):  # beyond the largest float32, where gaps are split
                value = np.nextafter(value, np.float32(towards))
        rows[np.arange(len(splits)), forest.feature[splits]] = value
        yield rows[np.isfinite(value)]


def _stretched_rows(rows: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    factor = 10.0 ** rng.uniform(-STRETCH, STRETCH, rows.shape) * rng.choice([-1, 1], rows.shape)
    with np.errstate(over="ignore"):
        stretched = (rows * factor).astype(np.float32)
    return np.where(np.isinf(stretched), rows, stretched)


def takes_missing(estimator: Estimator) -> bool:
    """Whether a fitted estimator, or a pipeline with an imputer, predicts rows with gaps."""
    inner = getattr(estimator, "regressor_", estimator)
    steps = [type(step).__name__ for _, step in getattr(inner, "steps", ())]
    if "SimpleImputer" in steps:
        return True
    allowed: bool = get_tags(last_step(estimator)).input_tags.allow_nan
    return allowed


def allowed_difference(
    predictor: Predictor,
    output: Output,
    rows: NDArray[np.float32],
    theirs: NDArray[np.float64],
    *,
    share_error: float,
    largest_target: float,
) -> NDArray[np.float64]:
    """Return how far each of a package's answers may be from its library's; 0 for equal bits.

    Args:
        predictor: the package's.
        output: how its sums become predictions.
        rows: float32 (n, n_features).
        theirs: float64 (n, n_outputs), the library's answers.
        share_error: of the learner's class shares; 0 for a regression.
        largest_target: the largest magnitude of the target that was learned; 0 for classes.

    Returns:
        float64 (n, 1).
    """
    # No share moves by more than the sums do: the slope of both links is at most 1/2.
    rounding = predictor.rounding(rows, largest_target=largest_target).max(axis=1, keepdims=True)
    allowed: NDArray[np.float64] = rounding + share_error
    if output.link == "expm1":
        allowed = 2 * rounding * (np.abs(theirs) + 1)  # twice the slope of exp(x) - 1
    return allowed


def refuse_difference(
    mine: NDArray[np.float64],
    theirs: NDArray[np.float64],
    *,
    allowed: float | NDArray[np.float64],
    name: str,
) -> None:
    """Compare a package's answers with the estimator's.

    Args:
        mine: float64 (n, n_outputs), the package's.
        theirs: the same shape, the estimator's.
        allowed: the largest difference that is no fault, one for all or float64 (n, 1); 0 where
            bits must be equal.
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
