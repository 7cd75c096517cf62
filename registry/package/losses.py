"""The loss of each row, so that two models can be compared on the same rows.

Only metrics that are a mean over rows are here: a paired bootstrap needs each row's share. For all
losses, lower is better; `accuracy` is reported as a rate and compared as its 0/1 loss.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PROBABILITY_FLOOR = 1e-15  # the log loss of a forest that gives a class no vote stays finite


def _squared_error(y: Floats, p: Floats) -> Floats:
    return np.square(y - p[:, 0])


def _absolute_error(y: Floats, p: Floats) -> Floats:
    return np.abs(y - p[:, 0])


def _log_loss(y: Floats, p: Floats) -> Floats:
    share = p[np.arange(len(y)), y.astype(int)]
    loss: Floats = -np.log(np.clip(share, PROBABILITY_FLOOR, 1.0))
    return loss


def _brier_score(y: Floats, p: Floats) -> Floats:
    truth = np.eye(p.shape[1])[y.astype(int)]
    score: Floats = ((p - truth) ** 2).sum(axis=1)
    return score


def _zero_one_loss(y: Floats, p: Floats) -> Floats:
    wrong: Floats = (p.argmax(axis=1) != y).astype(np.float64)
    return wrong


METRICS: dict[str, dict[str, Callable[[Floats, Floats], Floats]]] = {
    "regression": {"mse": _squared_error, "mae": _absolute_error},
    "classification": {"log_loss": _log_loss, "brier": _brier_score, "accuracy": _zero_one_loss},
}
HIGHER_IS_BETTER = frozenset({"accuracy"})


def row_losses(task: str, metric: str, y: Floats, predicted: Floats) -> Floats:
    """Return the loss of each row.

    Args:
        task: "regression" or "classification".
        metric: a key of `METRICS[task]`.
        y: float64 (n,), the target, or the class index.
        predicted: float64 (n, 1) predictions, or (n, n_classes) probabilities.

    Returns:
        float64 (n,), in the metric's unit (the target's unit squared for mse); lower is better.
    """
    return METRICS[task][metric](y, predicted)
