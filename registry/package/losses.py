"""The loss of each row, so that two models can be compared on the same rows.

Only what is a mean over rows is here: a paired bootstrap needs each row's share. For all losses,
lower is better.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PROBABILITY_FLOOR = 1e-15  # the log loss of a forest that gives a class no vote stays finite
TARGET_FLOOR = float(np.finfo(np.float64).eps)  # as scikit-learn's, for a target of 0
LOG_FLOOR = -1 + 1e-9  # a prediction of -1 or less has no log(1 + p); it costs much, but finitely


def _squared_error(y: Floats, p: Floats) -> Floats:
    return np.square(y - p[:, 0])


def _absolute_error(y: Floats, p: Floats) -> Floats:
    return np.abs(y - p[:, 0])


def _relative_error(y: Floats, p: Floats) -> Floats:
    return np.abs(y - p[:, 0]) / np.maximum(np.abs(y), TARGET_FLOOR)


def _squared_log_error(y: Floats, p: Floats) -> Floats:
    mine = np.log1p(np.maximum(p[:, 0], LOG_FLOOR))
    error: Floats = np.square(np.log1p(np.maximum(y, LOG_FLOOR)) - mine)
    return error


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


LOSSES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "mse": _squared_error,
    "mae": _absolute_error,
    "mape": _relative_error,
    "msle": _squared_log_error,
    "log_loss": _log_loss,
    "brier": _brier_score,
    "zero_one": _zero_one_loss,
}
