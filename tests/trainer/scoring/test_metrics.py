"""Metrics: scikit-learn's values, weights included, and nothing where there is no value."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as theirs

from registry.package import METRICS
from trainer.scoring.metrics import metric_names, metric_value

Floats = NDArray[np.float64]
RNG = np.random.default_rng(1)
WEIGHT = RNG.uniform(0.1, 3, 80)
TARGET = RNG.gamma(2.0, size=80) + 0.1
PREDICTED = np.abs(TARGET + RNG.normal(size=80))[:, None]
BINARY = RNG.integers(0, 2, 80) * 1.0
TERNARY = RNG.integers(0, 3, 80) * 1.0


def shares(y: Floats, n: int) -> Floats:
    raw = RNG.dirichlet(np.ones(n), len(y)) + np.eye(n)[y.astype(int)] / 2
    return raw / raw.sum(axis=1, keepdims=True)


TWO = shares(BINARY, 2)
THREE = shares(TERNARY, 3)
REGRESSION: dict[str, Callable[..., float]] = {
    "mse": theirs.mean_squared_error,
    "mae": theirs.mean_absolute_error,
    "rmse": theirs.root_mean_squared_error,
    "mape": theirs.mean_absolute_percentage_error,
    "rmsle": theirs.root_mean_squared_log_error,
    "r2": theirs.r2_score,
}


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("metric", list(METRICS["regression"]))
def test_a_regressions_metric_is_scikit_learns(metric: str, weight: Floats | None) -> None:
    wanted = REGRESSION[metric](TARGET, PREDICTED[:, 0], sample_weight=weight)
    found = metric_value("regression", metric, TARGET, PREDICTED, weight)
    assert found == pytest.approx(wanted, rel=1e-12)


def wanted_of_classes(metric: str, y: Floats, p: Floats, weight: Floats | None) -> float:
    binary = p.shape[1] == 2
    scores = p[:, 1] if binary else p
    truth = y if binary else np.eye(p.shape[1])[y.astype(int)]
    labels = p.argmax(axis=1)
    values: dict[str, Callable[[], float]] = {
        "log_loss": lambda: theirs.log_loss(y, p, sample_weight=weight),
        "brier": lambda: np.average(
            ((np.eye(p.shape[1])[y.astype(int)] - p) ** 2).sum(1), weights=weight
        ),
        "accuracy": lambda: theirs.accuracy_score(y, labels, sample_weight=weight),
        "balanced_accuracy": lambda: theirs.balanced_accuracy_score(
            y, labels, sample_weight=weight
        ),
        "f1": lambda: theirs.f1_score(
            y, labels, average="binary" if binary else "macro", sample_weight=weight
        ),
        "auc": lambda: theirs.roc_auc_score(y, scores, multi_class="ovr", sample_weight=weight),
        "average_precision": lambda: theirs.average_precision_score(
            truth, scores, sample_weight=weight
        ),
    }
    return values[metric]()


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize(("y", "p"), [(BINARY, TWO), (TERNARY, THREE)])
@pytest.mark.parametrize("metric", list(METRICS["classification"]))
def test_a_classifications_metric_is_scikit_learns(
    metric: str, y: Floats, p: Floats, weight: Floats | None
) -> None:
    wanted = wanted_of_classes(metric, y, p, weight)
    assert metric_value("classification", metric, y, p, weight) == pytest.approx(wanted, rel=1e-9)


def test_the_positive_class_is_the_last_of_the_sorted_ones() -> None:
    y = np.array([0.0, 0.0, 0.0, 1.0])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]])
    assert metric_value("classification", "f1", y, p) == pytest.approx(2 / 3)
    assert metric_value("classification", "average_precision", y, p) == 1


CASES = [("regression", name) for name in METRICS["regression"]]
CASES += [("classification", name) for name in METRICS["classification"]]


@given(counted=st.lists(st.booleans(), min_size=80, max_size=80))
@pytest.mark.parametrize(("task", "metric"), CASES)
def test_a_weight_of_0_is_as_no_row(task: str, metric: str, counted: list[bool]) -> None:
    kept = np.array(counted)
    y, p = (TARGET, PREDICTED) if task == "regression" else (TERNARY, THREE)
    if not kept.any():
        assert math.isnan(metric_value(task, metric, y, p, kept * 1.0))
        return
    weighted = metric_value(task, metric, y, p, kept * 1.0)
    assert weighted == pytest.approx(metric_value(task, metric, y[kept], p[kept]), nan_ok=True)


@pytest.mark.parametrize(
    ("task", "metric", "y", "p"),
    [
        ("regression", "mape", np.array([0.0, 1.0]), np.ones((2, 1))),
        ("regression", "rmsle", np.array([-1.0, 1.0]), np.ones((2, 1))),
        ("regression", "rmsle", np.array([0.0, 1.0]), -np.ones((2, 1))),
        ("regression", "r2", np.array([3.0, 3.0]), np.ones((2, 1))),
        ("classification", "auc", np.array([1.0, 1.0]), np.full((2, 2), 0.5)),
        ("classification", "average_precision", np.array([0.0, 0.0]), np.full((2, 2), 0.5)),
        ("classification", "auc", np.array([0.0, 1.0]), np.full((2, 3), 1 / 3)),
    ],
)
def test_a_metric_without_a_value_is_nan(task: str, metric: str, y: Floats, p: Floats) -> None:
    assert math.isnan(metric_value(task, metric, y, p))


def test_all_metrics_of_a_task_are_named_the_wanted_one_first() -> None:
    assert metric_names("regression", "r2") == ["r2", "mse", "mae", "rmse", "mape", "rmsle"]
