import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from registry.package import HIGHER_IS_BETTER, METRICS, find_metric, row_losses

RNG = np.random.default_rng(3)
CLASSES = RNG.integers(0, 3, 50).astype(np.float64)
SHARES = RNG.dirichlet([1, 1, 1], 50)
NUMBERS = RNG.normal(size=50)
GUESSES = RNG.normal(size=(50, 1))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("mse", metrics.mean_squared_error(NUMBERS, GUESSES)),
        ("mae", metrics.mean_absolute_error(NUMBERS, GUESSES)),
    ],
)
def test_the_mean_of_a_regression_loss_is_scikit_learns(metric: str, expected: float) -> None:
    assert row_losses("regression", metric, NUMBERS, GUESSES).mean() == pytest.approx(
        expected, rel=1e-14
    )


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("log_loss", metrics.log_loss(CLASSES, SHARES)),
        ("accuracy", 1 - metrics.accuracy_score(CLASSES, SHARES.argmax(axis=1))),
    ],
)
def test_the_mean_of_a_classification_loss_is_scikit_learns(metric: str, expected: float) -> None:
    assert row_losses("classification", metric, CLASSES, SHARES).mean() == pytest.approx(
        expected, rel=1e-14
    )


def test_a_brier_loss_adds_the_squares_over_the_classes() -> None:
    losses = row_losses(
        "classification", "brier", np.array([0.0, 2.0]), np.array([[1, 0, 0], [0.5, 0.3, 0.2]])
    )
    assert losses.tolist() == pytest.approx([0, 0.25 + 0.09 + 0.64])


def test_a_class_without_a_vote_costs_much_but_not_infinitely() -> None:
    losses = row_losses(
        "classification", "log_loss", np.array([0.0, 1.0]), np.array([[0.0, 1.0], [0.0, 1.0]])
    )
    assert 30 < losses[0] < 40
    assert losses[1] == 0


@pytest.mark.parametrize(
    ("task", "metric"), [(task, metric) for task in METRICS for metric in METRICS[task]]
)
def test_every_metric_gives_each_row_a_loss_of_its_own(task: str, metric: str) -> None:
    y, predicted = (NUMBERS, GUESSES) if task == "regression" else (CLASSES, SHARES)
    losses = row_losses(task, metric, y, predicted)
    assert losses.shape == y.shape
    assert losses.dtype == np.float64
    assert np.array_equal(losses[10:20], row_losses(task, metric, y[10:20], predicted[10:20]))


@pytest.mark.parametrize(
    ("task", "metric"), [(task, metric) for task in METRICS for metric in METRICS[task]]
)
def test_a_perfect_answer_costs_nothing_and_any_other_more(task: str, metric: str) -> None:
    y: NDArray[np.float64] = np.array([1.0, 0.0])
    perfect, wrong = (
        (y[:, None], y[::-1, None]) if task == "regression" else (np.eye(2)[[1, 0]], np.eye(2))
    )
    assert row_losses(task, metric, y, perfect).tolist() == [0, 0]
    assert (row_losses(task, metric, y, wrong) > 0).all()


def test_rates_are_better_when_higher_and_losses_when_lower() -> None:
    assert {
        *("r2", "accuracy", "balanced_accuracy", "f1", "auc", "average_precision")
    } == HIGHER_IS_BETTER


def test_a_metric_is_known_by_its_mean_loss_or_another_loss_stands_for_it() -> None:
    values = {name: find_metric(name).from_loss for name in ("rmse", "accuracy", "mae", "auc")}
    assert values["rmse"] is not None
    assert values["accuracy"] is not None
    assert values["rmse"](9.0) == 3
    assert values["accuracy"](0.25) == 0.75
    assert values["auc"] is None
    assert {find_metric(name).loss for name in ("f1", "auc", "average_precision")} == {"brier"}


def test_an_unknown_metric_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        row_losses("regression", "log_loss", NUMBERS, GUESSES)
