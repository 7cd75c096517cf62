"""The objective's direction: a search for the worst model is not begun in silence."""

from types import SimpleNamespace
from typing import cast

import pytest

from katib.experiment import Experiment
from tunegate.search.direction import direction_warning


def warning(metric: str, *, minimize: bool) -> str:
    return direction_warning(cast("Experiment", SimpleNamespace(metric=metric, minimize=minimize)))


@pytest.mark.parametrize("metric", ["r2", "accuracy", "balanced_accuracy", "f1", "auc"])
def test_a_rate_that_is_minimized_is_warned_of(metric: str) -> None:
    found = warning(metric, minimize=True)
    assert found == (f"warning: a higher {metric} is better: set the objective's type to maximize")
    assert warning(metric, minimize=False) == ""


@pytest.mark.parametrize("metric", ["mse", "rmse", "log_loss", "brier"])
def test_an_error_that_is_maximized_is_warned_of(metric: str) -> None:
    assert "set the objective's type to minimize" in warning(metric, minimize=False)
    assert warning(metric, minimize=True) == ""


@pytest.mark.parametrize("minimize", [True, False])
def test_a_metric_of_ones_own_may_go_either_way(*, minimize: bool) -> None:
    assert warning("profit", minimize=minimize) == ""
