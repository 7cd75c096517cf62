"""The metrics of each task: which way is better, and which loss of a row stands for them.

The gate compares two models row by row, so it needs a mean over rows. Most metrics are one, or the
root of one. For the others another loss decides, and the gate says which.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from registry.package.losses import LOSSES, Floats


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        loss: the key in `losses.LOSSES` of the row's loss that the gate compares.
        higher_is_better: the direction in which the metric improves.
        from_loss: the metric's value for a mean loss; None where the loss only stands for it.
        balanced: whether each class counts as much as any other, however rare it is.
        words: what it is, for people.
    """

    loss: str
    words: str
    higher_is_better: bool = False
    from_loss: Callable[[float], float] | None = None
    balanced: bool = False


def _itself(loss: float) -> float:
    return loss


def _one_minus(loss: float) -> float:
    return 1.0 - loss


METRICS: Mapping[str, Mapping[str, Metric]] = {
    "regression": {
        "mse": Metric("mse", "mean squared error", from_loss=_itself),
        "mae": Metric("mae", "mean absolute error", from_loss=_itself),
        "rmse": Metric("mse", "root of the mean squared error", from_loss=math.sqrt),
        "mape": Metric("mape", "mean absolute error as a share of the target", from_loss=_itself),
        "rmsle": Metric(
            "msle", "root of the mean squared error of log(1 + target)", from_loss=math.sqrt
        ),
        "r2": Metric(
            "mse", "share of the target's variance that is explained", higher_is_better=True
        ),
    },
    "classification": {
        "log_loss": Metric("log_loss", "log loss", from_loss=_itself),
        "brier": Metric("brier", "squared error of the probabilities", from_loss=_itself),
        "accuracy": Metric(
            "zero_one", "share that is right", higher_is_better=True, from_loss=_one_minus
        ),
        "balanced_accuracy": Metric(
            "zero_one",
            "mean over classes of the share that is right",
            higher_is_better=True,
            from_loss=_one_minus,
            balanced=True,
        ),
        "f1": Metric("brier", "harmonic mean of precision and recall", higher_is_better=True),
        "auc": Metric("brier", "area under the ROC curve", higher_is_better=True),
        "average_precision": Metric(
            "brier", "area under the precision-recall curve", higher_is_better=True
        ),
    },
}
HIGHER_IS_BETTER = frozenset(
    name
    for metrics in METRICS.values()
    for name, metric in metrics.items()
    if metric.higher_is_better
)


def find_metric(name: str) -> Metric:
    """Return the metric of this name, of either task.

    Raises:
        KeyError: when there is none.
    """
    return next(metrics[name] for metrics in METRICS.values() if name in metrics)


def row_losses(task: str, metric: str, y: Floats, predicted: Floats) -> Floats:
    """Return the loss of each row that the gate compares for a metric.

    Args:
        task: "regression" or "classification".
        metric: a key of `METRICS[task]`.
        y: float64 (n,), the target, or the class index.
        predicted: float64 (n, 1) predictions, or (n, n_classes) probabilities.

    Returns:
        float64 (n,), in the loss's unit (the target's unit squared for mse); lower is better.
    """
    return LOSSES[METRICS[task][metric].loss](y, predicted)
