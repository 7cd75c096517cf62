"""What Katib's objects say is read in one way, and Trials are ranked by our own rule."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.katib.trial_objects import make_trial, scored_trial

from katib.objects import (
    assignments,
    count_states,
    is_finished,
    message,
    metric_value,
    objective_name,
    objective_value,
    rank,
    reason,
    state,
)


def ranked_names(trials: list[dict[str, Any]]) -> list[str]:
    return [entry.trial for entry in rank(trials)]


def test_the_lowest_objective_comes_first() -> None:
    assert ranked_names(
        [scored_trial("b", "11.7"), scored_trial("c", "9.25"), scored_trial("a", "10.2")]
    ) == [
        "c",
        "a",
        "b",
    ]


def test_the_highest_objective_comes_first_when_maximizing() -> None:
    trials = [
        scored_trial(name, value, kind="maximize")
        for name, value in (("a", "0.5"), ("b", "0.9"), ("c", "-3"))
    ]
    assert ranked_names(trials) == ["b", "a", "c"]


def test_a_ranked_trial_says_where_it_came_from() -> None:
    (best,) = rank([scored_trial("forest-x", "9.5")])
    assert (best.trial, best.experiment, best.value, best.assignments) == (
        "forest-x",
        "forest",
        9.5,
        {"max_depth": "7"},
    )


@pytest.mark.parametrize("order", list(itertools.permutations(["mse", "r2", "mae"])))
def test_metrics_are_found_by_name_in_any_order(order: tuple[str, ...]) -> None:
    values = {"mse": "9.0", "r2": "0.1", "mae": "0.2"}
    metrics = {name: dict.fromkeys(("latest", "min", "max"), values[name]) for name in order}
    assert rank([make_trial("a", metrics)])[0].value == 9.0


@pytest.mark.parametrize(
    "state", ["EarlyStopped", "Failed", "Killed", "MetricsUnavailable", "Running", "Created"]
)
def test_only_succeeded_trials_count_whatever_they_reported(state: str) -> None:
    assert ranked_names(
        [scored_trial("good", "1.0", state=state), scored_trial("done", "20.0")]
    ) == ["done"]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "unavailable", "", "not a number", "1e999"])
def test_a_trial_that_succeeded_without_a_finite_objective_is_left_out(text: str) -> None:
    assert ranked_names([scored_trial("odd", text), scored_trial("sound", "20.0")]) == ["sound"]


def test_an_observation_without_latest_is_left_out() -> None:
    nan = make_trial("nan", {"mse": {"min": "unavailable", "max": "unavailable"}})
    assert ranked_names([nan, scored_trial("sound", "20.0")]) == ["sound"]


@pytest.mark.parametrize(
    "metrics", [None, {}, {"r2": {"latest": "0.5", "min": "0.5", "max": "0.5"}}]
)
def test_a_trial_without_the_objective_is_left_out(
    metrics: dict[str, dict[str, str]] | None,
) -> None:
    assert ranked_names([make_trial("empty", metrics), scored_trial("sound", "20.0")]) == ["sound"]


@pytest.mark.parametrize(
    ("kind", "strategies", "expected"),
    [
        ("minimize", None, 1.0),
        ("maximize", None, 3.0),
        ("minimize", {"mse": "latest"}, 2.0),
        ("minimize", {"mse": "max"}, 3.0),
        ("maximize", {"mse": "min"}, 1.0),
        ("minimize", {"r2": "latest"}, 1.0),
    ],
)
def test_the_strategy_says_which_of_several_reports_counts(
    kind: str, strategies: dict[str, str] | None, expected: float
) -> None:
    reports = {"mse": {"latest": "2", "min": "1", "max": "3"}}
    assert rank([make_trial("a", reports, kind=kind, strategies=strategies)])[0].value == expected


def test_latest_stands_in_where_the_strategy_has_no_number() -> None:
    assert (
        rank(
            [make_trial("a", {"mse": {"latest": "4", "min": "unavailable", "max": "unavailable"}})]
        )[0].value
        == 4.0
    )


def test_equals_are_ordered_by_name() -> None:
    trials = [scored_trial(name, "10.0") for name in "dbca"]
    assert all(
        ranked_names(list(order)) == ["a", "b", "c", "d"]
        for order in itertools.permutations(trials)
    )


def test_without_a_finite_objective_nothing_is_ranked_and_the_states_can_be_counted() -> None:
    trials = [
        scored_trial("a", "1", state="Failed"),
        scored_trial("b", "1", state="Failed"),
        scored_trial("c", "nan"),
    ]
    assert rank(trials) == []
    assert count_states(trials) == {"Failed": 2, "Succeeded": 1}


def test_of_no_trials_nothing_is_ranked() -> None:
    assert rank([]) == []
    assert count_states([]) == {}


def test_a_trial_that_katib_has_not_looked_at_yet_is_created_and_not_ranked() -> None:
    fresh = scored_trial("a", "1")
    del fresh["status"]
    assert rank([fresh]) == []
    assert (state(fresh), message(fresh), reason(fresh)) == ("Created", "", "")
    assert not is_finished(fresh)


def make_condition(kind: str, *, holds: bool) -> dict[str, str]:
    return {"type": kind, "status": str(holds), "reason": f"It{kind}", "message": f"it is {kind}"}


@pytest.mark.parametrize(
    ("conditions", "expected", "finished"),
    [
        ([], "Created", False),
        ([("Created", True), ("Running", True)], "Running", False),
        ([("Created", True), ("Running", False), ("Succeeded", True)], "Succeeded", True),
        ([("Created", True), ("Failed", True), ("Running", False)], "Failed", True),
        ([("Created", True), ("Restarting", True), ("Running", True)], "Running", False),
        ([("Created", True), ("Restarting", True), ("Running", False)], "Restarting", False),
        ([("Running", False), ("EarlyStopped", True)], "EarlyStopped", True),
        ([("Running", False), ("MetricsUnavailable", True)], "MetricsUnavailable", True),
        ([("Running", False), ("Killed", True)], "Killed", True),
    ],
)
def test_the_last_condition_that_holds_is_the_state_and_has_message_and_reason(
    conditions: list[tuple[str, bool]], expected: str, *, finished: bool
) -> None:
    listed = [make_condition(kind, holds=holds) for kind, holds in conditions]
    item = {"status": {"conditions": listed}}
    assert state(item) == expected
    assert is_finished(item) == finished
    assert message(item) == (f"it is {expected}" if listed else "")
    assert reason(item) == (f"It{expected}" if listed else "")


def test_values_are_read_whatever_the_state_is() -> None:
    stopped = scored_trial("a", "3.5", state="EarlyStopped")
    assert (objective_name(stopped), objective_value(stopped)) == ("mse", 3.5)
    assert metric_value(stopped, "r2") is None
    assert assignments(stopped) == {"max_depth": "7"}


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8),
    st.sampled_from(["minimize", "maximize"]),
    st.randoms(),
)
def test_the_ranking_is_sorted_complete_and_blind_to_the_order_of_trials(
    values: list[float],
    kind: str,
    random: Any,  # noqa: ANN401
) -> None:
    trials = [scored_trial(f"t{i}", repr(value), kind=kind) for i, value in enumerate(values)]
    ranked = rank(trials)
    assert [entry.value for entry in ranked] == sorted(values, reverse=kind == "maximize")
    random.shuffle(trials)
    assert rank(trials) == ranked
