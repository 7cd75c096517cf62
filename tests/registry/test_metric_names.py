"""Names and numbers for people: no underscore, no exponent where digits are few enough to read."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.registry.package_variants import tiny

from registry.metric_names import (
    METRIC_NAMES,
    choose_usual,
    loss_name,
    metric_name,
    people_score,
    readable_number,
    usual_scores,
)
from registry.package import METRICS


def test_every_metric_has_a_name_without_underscores() -> None:
    for metrics in METRICS.values():
        assert metrics.keys() <= METRIC_NAMES.keys()
    assert not any("_" in name for name in METRIC_NAMES.values())
    assert metric_name("my_own") == "my own"


def test_the_loss_of_a_rate_is_not_called_by_the_rates_name() -> None:
    assert (loss_name("accuracy"), loss_name("log_loss")) == ("error rate", "log loss")


def test_a_mean_squared_error_is_read_as_its_root() -> None:
    found = people_score("mse", 675_480_100.0)
    assert (found.name, readable_number(found.value)) == ("RMSE", "25,990")
    assert people_score("log_loss", 0.25).value == 0.25


def test_the_usual_metrics_come_in_their_order_and_what_is_unknown_is_left_out() -> None:
    found = choose_usual("regression", {"mae": 2.0, "mse": 9.0, "r2": 0.5, "mape": 1.0})
    assert [(each.metric, each.value) for each in found] == [("rmse", 3.0), ("r2", 0.5), ("mae", 2)]
    assert choose_usual("regression", {"mse": 9.0, "rmse": 2.5})[0].value == 2.5
    assert choose_usual("classification", {}) == ()


def test_a_package_without_scores_has_its_objectives(tmp_path: Path) -> None:
    manifest = tiny(tmp_path / "tiny").manifest
    (found,) = usual_scores(manifest)
    assert found.metric == "rmse"
    assert found.value == math.sqrt(manifest.cross_validation.score)
    scored = manifest.replace(scores={"rmse": 1.5, "r2": 0.75})
    assert [each.value for each in usual_scores(scored)] == [1.5, 0.75]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (25990.4, "25,990"),
        (675_512_345.0, "675,500,000"),
        (9999.6, "10,000"),
        (1234.0, "1234"),
        (3.14159, "3.142"),
        (-45678.0, "-45,680"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, text: str) -> None:
    assert readable_number(value) == text


@given(value=st.floats(-1e14, 1e14), digits=st.integers(2, 6))
def test_a_written_number_is_the_rounded_one(value: float, digits: int) -> None:
    text = readable_number(value, digits)
    assert float(text.replace(",", "")) == float(f"{value:.{digits}g}")
    assert "e+" not in text
