from typing import Any

import pytest
from support.experiments import experiment

from katib.medianstop import StopRule, stop_rule
from katib.trials import Trial


def early(kind: str = "minimize", **settings: str) -> Any:  # noqa: ANN401
    entries = [{"name": name, "value": value} for name, value in settings.items()]
    stopping = {"algorithmName": "medianstop", "algorithmSettings": entries}
    objective = {"type": kind, "objectiveMetricName": "mse"}
    return experiment("run", objective=objective, earlyStopping=stopping)


def trials(*series: tuple[float, ...], state: str = "Succeeded") -> list[Trial]:
    return [Trial(index, f"t{index}", {}, state, series=one) for index, one in enumerate(series)]


def test_the_limit_is_the_mean_of_the_means_of_the_first_reports() -> None:
    rule = stop_rule(early(min_trials_required="2", start_step="2"), trials((1, 3, 100), (4, 6)))
    assert rule == StopRule(minimize=True, start_step=2, limit=3.5)


def test_a_short_series_counts_with_what_it_has() -> None:
    assert stop_rule(early(min_trials_required="1", start_step="4"), trials((1, 2))).limit == pytest.approx(1.5)


def test_there_is_no_limit_before_enough_trials_have_succeeded() -> None:
    series = ((1.0,), (2.0,), (3.0,))
    assert stop_rule(early(), trials(*series[:2])).limit is None
    assert stop_rule(early(), trials(*series)).limit == pytest.approx(2.0)
    for state in ("Failed", "EarlyStopped", "Running", "MetricsUnavailable"):
        assert stop_rule(early(), trials(*series, state=state)).limit is None
    assert stop_rule(early(), trials((1.0,), (2.0,), ())).limit is None


def test_katibs_defaults_are_three_trials_and_four_steps() -> None:
    assert stop_rule(early(), []) == StopRule(minimize=True, start_step=4, limit=None)


def test_without_early_stopping_nothing_is_ever_hopeless() -> None:
    rule = stop_rule(experiment("run"), trials((1.0,), (1.0,), (1.0,)))
    assert not rule.hopeless([1e9] * 100)


@pytest.mark.parametrize(
    ("reports", "hopeless"),
    [
        ([9.0], False),
        ([9.0, 9.0], False),
        ([9.0, 9.0, 9.0], True),
        ([9.0, 5.1, 9.0], True),
        ([9.0, 5.0, 9.0], False),
        ([1.0, 9.0, 9.0, 9.0], False),
    ],
)
def test_from_the_start_step_on_the_best_so_far_decides(reports: list[float], *, hopeless: bool) -> None:
    assert StopRule(minimize=True, start_step=3, limit=5.0).hopeless(reports) is hopeless
    mirrored = [-report for report in reports]
    assert StopRule(minimize=False, start_step=3, limit=-5.0).hopeless(mirrored) is hopeless
