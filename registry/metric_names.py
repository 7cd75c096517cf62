"""What people read: the names of metrics, the usual metrics of a task, and numbers in texts."""

import math
from collections.abc import Iterable, Mapping

from registry.package.manifest import Manifest
from registry.record import Record

METRIC_NAMES: Mapping[str, str] = {
    "mse": "mean squared error",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "mape": "mean absolute percentage error",
    "rmsle": "RMSLE",
    "r2": "R²",
    "log_loss": "log loss",
    "brier": "Brier score",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "auc": "AUC",
    "average_precision": "average precision",
}
LOSS_NAMES: Mapping[str, str] = {  # where the loss is not the metric
    "accuracy": "error rate",
    "zero_one": "error rate",
    "msle": "mean squared log error",
}
USUAL_METRICS: Mapping[str, tuple[str, ...]] = {
    "regression": ("rmse", "r2", "mae"),
    "classification": ("auc", "accuracy", "log_loss"),
}
# People read the root, which for squared errors is in the target's unit.
ROOTS: Mapping[str, str] = {"mse": "rmse", "msle": "rmsle"}
EXPONENT_FROM = 1e15  # below it a number is written out


class NamedScore(Record, frozen=True, kw_only=True):
    """A metric's value with the name that people read."""

    metric: str
    name: str
    value: float


def metric_name(metric: str) -> str:
    """Return what people call a metric; an unknown one keeps its name, with spaces."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def loss_name(metric: str) -> str:
    """Return what people call the loss that goes with a metric; lower is better."""
    return LOSS_NAMES.get(metric, metric_name(metric))


def people_score(metric: str, value: float) -> NamedScore:
    """Return a score as people read it: a mean squared error as its root, all others as is."""
    root = ROOTS.get(metric)
    if root is None or value < 0:
        return NamedScore(metric=metric, name=metric_name(metric), value=value)
    return NamedScore(metric=root, name=metric_name(root), value=math.sqrt(value))


def loss_text(loss: str, value: float) -> str:
    """Return a mean loss, and in brackets the root that people read, if it has one."""
    read = people_score(loss, value)
    if read.metric == loss:
        return readable_number(value)
    return f"{readable_number(value)} ({read.name} {readable_number(read.value)})"


def scores_text(scores: Iterable[NamedScore]) -> str:
    """Return scores with their names, as one phrase."""
    return ", ".join(f"{each.name} {readable_number(each.value)}" for each in scores)


def usual_scores(manifest: Manifest) -> tuple[NamedScore, ...]:
    """Return a package's cross-validated scores by the usual metrics of its task, if it has them.

    Packages from before there were `scores` have their objective's alone.
    """
    return choose_usual(manifest.task, manifest.scores) or (
        people_score(manifest.metric, manifest.cross_validation.score),
    )


def choose_usual(task: str, scores: Mapping[str, float]) -> tuple[NamedScore, ...]:
    """Return the usual metrics of a task out of all that are known."""
    known = {each.metric: each for each in (people_score(*item) for item in scores.items())}
    known |= {
        name: NamedScore(metric=name, name=metric_name(name), value=value)
        for name, value in scores.items()
    }
    return tuple(known[name] for name in USUAL_METRICS[task] if name in known)


def readable_number(value: float, digits: int = 4) -> str:
    """Return a number with so many significant digits: `25,990`, never `2.599e+04`."""
    rounded = float(f"{value:.{digits}g}")
    if 10**digits <= abs(rounded) < EXPONENT_FROM:
        return f"{rounded:,.0f}"
    return f"{value:.{digits}g}"
