"""From a model's sums to its answers: the one arithmetic of search, gate and server.

Whatever predicts (cross-validation, gate, server, its fast path) ends here, so that a number that
was judged is the number that is served, to the last bit.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from registry.package import kernel
from registry.package.array_checks import check_packed_row
from registry.package.manifest import Output
from registry.package.predictor import Predictor

FLOAT64_MAX = float(np.finfo(np.float64).max)
Number = TypeVar("Number", float, NDArray[np.float64])


# exp overflows to the right limit, and golden rows must be finite.
@np.errstate(over="ignore", invalid="ignore")
def predict_encoded(
    predictor: Predictor, output: Output, x: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Predict for encoded rows: apply the manifest's `output` to the predictor's sums.

    Args:
        predictor: trees or a linear model.
        output: how sums become predictions.
        x: float32 (n, n_features).

    Returns:
        float64 (n, 1) in the target's unit, or (n, n_classes) probabilities.
    """
    raw = predictor.sums(x)
    if output.combine == "mean":
        raw = raw / predictor.n_members
    if output.base:
        raw = raw + np.asarray(output.base)
    if output.smooth:
        return smooth_shares(raw, n_trees=predictor.n_members, n_classes=raw.shape[1])
    if output.link == "logistic":
        positive = 1.0 / (1.0 + kernel.exp(-raw))
        return np.hstack([1.0 - positive, positive])
    if output.link == "softmax":
        shifted = kernel.exp(raw - raw.max(axis=1, keepdims=True))
        # In the classes' order, as for one row; np.sum would add many classes in another.
        shares: NDArray[np.float64] = shifted / np.add.accumulate(shifted, axis=1)[:, -1:]
        return shares
    if output.link == "expm1":
        return from_log(raw)
    return raw


@np.errstate(over="ignore")
def from_log(learned: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exp(x) - 1: predictions of log(1 + target), in the target's unit.

    They are at most the largest float64: a linear model may reach beyond, and JSON has no infinity.
    """
    return np.minimum(kernel.expm1(learned), FLOAT64_MAX)


def smooth_shares(share: Number, *, n_trees: int, n_classes: int) -> Number:
    """Return class shares as if one tree more had voted for every class alike.

    That is (n_trees * share + 1 / n_classes) / (n_trees + 1), computed in this order in float64. A
    forest whose trees all agree on its training rows otherwise gives a class the share 0, which one
    row of that class punishes with a log loss of 34.5: with rare classes such rows decide instead
    of the model's quality. The likeliest class stays the likeliest.

    Args:
        share: mean over the trees, in 0 to 1: a number, or an array of any shape.
        n_trees: how many trees the mean is of.
        n_classes: of the data set.

    Returns:
        What `share` is; the shares of a row still add up to 1.
    """
    return (n_trees * share + 1.0 / n_classes) / (n_trees + 1)


def make_row_predictor(predictor: Predictor, output: Output) -> Callable[[bytes], Sequence[float]]:
    """Return a `predict_encoded` for one packed row, in one call of the C kernel where it runs.

    The function raises ValueError when a row has another length.
    """
    compiled = predictor.row_predictor(output)
    if compiled is not None:
        return compiled
    sums = predictor.sums_row
    if output.link == "identity" and output.combine == "sum" and not output.base:
        return sums
    width = predictor.n_features

    def predict_row(packed: bytes) -> Sequence[float]:
        check_packed_row(packed, width)
        answers: list[float] = predict_encoded(predictor, output, row_matrix(packed))[0].tolist()
        return answers

    return predict_row


def row_matrix(packed: bytes) -> NDArray[np.float32]:
    """Return one packed row as float32 (1, width)."""
    return np.frombuffer(packed, np.float32)[None]
