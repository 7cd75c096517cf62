from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    as_document,
    build_document,
    make_experiment,
    run_experiment,
    shell_command,
    trial_states,
    using_parameters,
)

from katib.early_stopping import StopRule, stop_rule
from katib.lint import lint_document
from katib.objects import rank
from katib.trial import Trial

LATEST = [{"name": "mse", "value": "latest"}]


def early(kind: str = "minimize", name: str = "medianstop", **settings: str) -> Any:  # noqa: ANN401
    entries = [{"name": name, "value": value} for name, value in settings.items()]
    stopping = {"algorithmName": name, "algorithmSettings": entries}
    objective = {"type": kind, "objectiveMetricName": "mse", "metricStrategies": LATEST}
    return make_experiment("run", objective=objective, earlyStopping=stopping)


def trials(*series: tuple[float, ...], state: str = "Succeeded") -> list[Trial]:
    return [
        Trial(
            index,
            f"t{index}",
            {},
            state,
            series=one,
            observation=({"name": "mse", "latest": str(one[-1]) if one else ""},),
        )
        for index, one in enumerate(series)
    ]


def test_the_limit_is_the_mean_of_the_means_of_the_first_reports() -> None:
    rule = stop_rule(early(min_trials_required="2", start_step="2"), trials((1, 3, 100), (4, 6)))
    assert rule == StopRule(minimize=True, start_step=2, limit=3.5)


def test_a_short_series_counts_with_what_it_has() -> None:
    assert stop_rule(
        early(min_trials_required="1", start_step="4"), trials((1, 2))
    ).limit == pytest.approx(1.5)


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
    rule = stop_rule(make_experiment("run"), trials((1.0,), (1.0,), (1.0,)))
    assert not rule.is_hopeless([1e9] * 100)


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
def test_from_the_start_step_on_the_best_so_far_decides(
    reports: list[float], *, hopeless: bool
) -> None:
    assert StopRule(minimize=True, start_step=3, limit=5.0).is_hopeless(reports) is hopeless
    mirrored = [-report for report in reports]
    assert StopRule(minimize=False, start_step=3, limit=-5.0).is_hopeless(mirrored) is hopeless


def ours(kind: str = "minimize", **settings: str) -> Any:  # noqa: ANN401
    return early(kind, name="tunegate", **settings)


def test_our_limit_lies_between_the_best_trial_and_the_mean_after_as_many_reports() -> None:
    known = trials((30.0, 20.0, 15.0, 12.0), (10.0, 22.0, 18.0, 14.0), (40.0, 36.0, 30.0, 25.0))
    limits = [
        stop_rule(ours(start_step="1", margin=margin), known).limit
        for margin in ("0", "0.5", "1", "2")
    ]
    assert limits == pytest.approx(
        [30.0, 30.0, 30.0, 30.0]
    )  # the mean, 26.7, is better than what the best had
    limits = [
        stop_rule(ours(start_step="2", margin=margin), known).limit
        for margin in ("0", "0.5", "1", "2")
    ]
    assert limits == pytest.approx(
        [20.0, 21.0, 22.0, 24.0]
    )  # 20, 10 and 36 are the best of two reports each


def test_stopped_trials_count_for_the_mean_but_are_not_the_best() -> None:
    known = [*trials((10.0, 8.0)), *trials((1.0,), (22.0,), state="EarlyStopped")]
    known = [replace(trial, index=index) for index, trial in enumerate(known)]
    assert stop_rule(ours(margin="1"), known).limit == pytest.approx(11.0)


def test_our_limit_is_never_stricter_than_the_best_trials_end() -> None:
    easy_first = ((5.0, 8.0, 10.0), (6.0, 9.0, 11.0))
    assert stop_rule(ours(margin="0.1", min_trials_required="2"), trials(*easy_first)).limit == 10.0
    mirrored = [tuple(-report for report in one) for one in easy_first]
    assert (
        stop_rule(ours("maximize", margin="0.1", min_trials_required="2"), trials(*mirrored)).limit
        == -10.0
    )


def test_our_defaults_and_when_there_is_no_limit_yet() -> None:
    assert stop_rule(ours(), []) == StopRule(minimize=True, start_step=1, limit=None)
    three = ((4.0, 2.0), (6.0, 3.0), (8.0, 4.0))
    assert stop_rule(ours(), trials(*three)).limit == pytest.approx(5.5)
    assert stop_rule(ours(), trials(*three[:2])).limit is None
    assert stop_rule(ours(start_step="3"), trials(*three)).limit is None
    for state in ("Failed", "EarlyStopped", "Running"):
        assert stop_rule(ours(), trials(*three, state=state)).limit is None


@pytest.mark.parametrize("name", ["medianstop", "tunegate"])
def test_losses_near_the_largest_number_give_no_limit(name: str) -> None:
    huge = trials(*[(1.7e308, 1.7e308)] * 3)
    assert stop_rule(early(name=name), huge).limit is None


LOSSES = st.lists(st.floats(0.01, 100), min_size=5, max_size=5)


@given(
    st.lists(LOSSES, min_size=1, max_size=6),
    LOSSES,
    st.integers(1, 5),
    st.sampled_from(["0", "0.5", "1"]),
)
def test_what_is_stopped_has_a_worse_value_than_the_optimum(
    known: list[list[float]], candidate: list[float], step: int, margin: str
) -> None:
    """Under every strategy: each report of it is worse than the best trial's final value."""
    rule = stop_rule(
        ours(start_step=str(step), margin=margin, min_trials_required="1"),
        trials(*map(tuple, known)),
    )
    stopped = next((n for n in range(1, 6) if rule.is_hopeless(candidate[:n])), None)
    if stopped is not None:
        assert stopped == step
        assert min(candidate[:stopped]) > min(each[-1] for each in known)


@given(LOSSES, st.integers(1, 5))
def test_a_copy_of_the_best_trial_is_never_stopped(losses: list[float], step: int) -> None:
    rule = stop_rule(
        ours(start_step=str(step), margin="0", min_trials_required="1"), trials(tuple(losses))
    )
    assert not any(rule.is_hopeless(losses[:n]) for n in range(1, 6))


# Three folds that all trials share; the first is the hardest.
FOLDS = (
    """for k in 4 3 2.5; do awk -v k=$k 'BEGIN { print "mse=" ${trialParameters.x} * k }'; done"""
)


def test_a_run_stops_what_cannot_win_and_repeats_itself(tmp_path: Path) -> None:
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "mse", "metricStrategies": LATEST},
        "earlyStopping": {"algorithmName": "tunegate"},
        "parameters": {"x": ("categorical", {"list": ["2", "3", "4", "3.5", "2.5", "0.5", "2.1"]})},
        "algorithm": algorithm_spec("grid"),
        "parallelTrialCount": 1,
        "maxTrialCount": 7,
    }
    results = [
        run_experiment(
            make_experiment(*shell_command(FOLDS), annotations=BATCH, **spec), tmp_path / name
        )
        for name in ("a", "b")
    ]
    assert trial_states(results[0]) == trial_states(results[1])
    # The limit for 3.5 and 2.5 is 4 * 2.75 = 11 and 11.4; for 2.1, after 0.5, 4 * (0.5 + 0.75 *
    # 2.08) = 8.25.
    ends = [
        "Succeeded",
        "Succeeded",
        "Succeeded",
        "EarlyStopped",
        "Succeeded",
        "Succeeded",
        "EarlyStopped",
    ]
    assert trial_states(results[0]) == ends
    status = results[0].experiment["status"]
    assert status["currentOptimalTrial"]["parameterAssignments"] == [{"name": "x", "value": "0.5"}]
    assert status["trialsEarlyStopped"] == 2
    stopped = results[0].trials[3]["status"]["observation"]["metrics"]
    assert stopped == [{"name": "mse", "min": "14", "max": "14", "latest": "14"}]
    assert {entry.trial for entry in rank(results[0].trials)} == set(status["succeededTrialList"])


@pytest.mark.parametrize(
    ("name", "setting", "value", "found"),
    [
        ("tunegate", "margin", "-0.1", "K222"),
        ("tunegate", "margin", "nan", "K222"),
        ("tunegate", "start_step", "0", "K222"),
        ("tunegate", "min_trials_required", "1.5", "K222"),
        ("tunegate", "patience", "3", "K221"),
        ("medianstop", "margin", "0.5", "K221"),
        ("tunegate", "margin", "0", ""),
        ("tunegate", "margin", "1e-3", ""),
    ],
)
def test_lint_knows_the_settings_of_each_rule(
    name: str, setting: str, value: str, found: str
) -> None:
    entries = [{"name": setting, "value": value}]
    document = using_parameters(
        build_document("run", earlyStopping={"algorithmName": name, "algorithmSettings": entries})
    )
    codes = {finding.code for finding in lint_document(as_document(document))} & {
        "K150",
        "K221",
        "K222",
        "K255",
    }
    assert codes == ({found} if found else set()) | ({"K255"} if name == "tunegate" else set())
