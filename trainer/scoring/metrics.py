"""Metrics of predictions, by scikit-learn where they are not simply a mean over rows."""

import math
import warnings
from collections.abc import Callable, Mapping

import numpy as np
from sklearn import metrics as sklearn_metrics

from registry.metric_names import USUAL_METRICS
from registry.package import METRICS, row_losses
from registry.package.losses import Floats

Weights = Floats | None
POSITIVE = -1  # with two classes the positive one is the last of the sorted classes


def metric_names(task: str, first: str) -> list[str]:
    """Return the names of the task's metrics, one of them before the others."""
    return [first, *(name for name in METRICS[task] if name != first)]


def metric_value(
    task: str, metric: str, y: Floats, predicted: Floats, weight: Weights = None
) -> float:
    """Return a metric of predictions; NaN where it is undefined for these rows.

    Args:
        task: "regression" or "classification".
        metric: a key of `METRICS[task]`.
        y: float64 (n,), the target, or the class index.
        predicted: float64 (n, 1) predictions, or (n, n_classes) probabilities.
        weight: float64 (n,), the rows' weights; None for equal ones.
    """
    if weight is not None:
        counted = weight > 0
        if not counted.any():
            return math.nan
        y = y[counted]
        predicted = predicted[counted]
        weight = weight[counted]
    reason = UNDEFINED.get(metric)
    if reason is not None and reason(y, predicted):
        return math.nan
    if metric in _BY_SKLEARN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that these rows have not
            return _BY_SKLEARN[metric](y, predicted, weight)
    loss = float(np.average(row_losses(task, metric, y, predicted), weights=weight))
    from_loss = METRICS[task][metric].from_loss
    return loss if from_loss is None else from_loss(loss)


def usual_values(
    task: str, y: Floats, predicted: Floats, weight: Weights = None
) -> dict[str, float]:
    """Return the usual metrics of a task, but for those that are undefined for these rows."""
    values = {name: metric_value(task, name, y, predicted, weight) for name in USUAL_METRICS[task]}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _has_zero(y: Floats, predicted: Floats) -> bool:
    del predicted
    return bool(np.any(y == 0))


def _has_no_log(y: Floats, predicted: Floats) -> bool:
    return min(float(y.min()), float(predicted.min())) <= -1


def _lacks_a_class(y: Floats, predicted: Floats) -> bool:
    n_classes: int = predicted.shape[1]
    return len(np.unique(y)) < n_classes


def _has_no_variance(y: Floats, predicted: Floats) -> bool:
    del predicted
    return float(y.min()) == float(y.max())


UNDEFINED: Mapping[str, Callable[[Floats, Floats], bool]] = {
    "mape": _has_zero,
    "rmsle": _has_no_log,
    "r2": _has_no_variance,
    "auc": _lacks_a_class,
    "average_precision": _lacks_a_class,
}


def _r2(y: Floats, predicted: Floats, weight: Weights) -> float:
    value: float = sklearn_metrics.r2_score(y, predicted[:, 0], sample_weight=weight)
    return value


def _balanced_accuracy(y: Floats, predicted: Floats, weight: Weights) -> float:
    value: float = sklearn_metrics.balanced_accuracy_score(
        y, predicted.argmax(axis=1), sample_weight=weight
    )
    return value


def _f1(y: Floats, predicted: Floats, weight: Weights) -> float:
    average = "binary" if predicted.shape[1] == 2 else "macro"  # noqa: PLR2004 - two classes
    value: float = sklearn_metrics.f1_score(
        y, predicted.argmax(axis=1), average=average, sample_weight=weight, zero_division=0.0
    )
    return value


def _auc(y: Floats, predicted: Floats, weight: Weights) -> float:
    scores = predicted
    if predicted.shape[1] == 2:  # noqa: PLR2004 - two classes
        scores = predicted[:, POSITIVE]
    value: float = sklearn_metrics.roc_auc_score(y, scores, sample_weight=weight, multi_class="ovr")
    return value


def _average_precision(y: Floats, predicted: Floats, weight: Weights) -> float:
    truth = np.eye(predicted.shape[1])[y.astype(int)]
    scores = predicted
    if predicted.shape[1] == 2:  # noqa: PLR2004 - two classes
        truth = truth[:, POSITIVE]
        scores = predicted[:, POSITIVE]
    value: float = sklearn_metrics.average_precision_score(truth, scores, sample_weight=weight)
    return value


_BY_SKLEARN: Mapping[str, Callable[[Floats, Floats, Weights], float]] = {
    "r2": _r2,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "auc": _auc,
    "average_precision": _average_precision,
}
