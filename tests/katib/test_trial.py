import json
from dataclasses import asdict, replace

import pytest
from support.katib.trial_objects import FULL_TRIAL

from katib.trial import FINISHED, Trial, best_trial, reset_trial


def valued_trial(index: int, value: str, state: str = "Succeeded") -> Trial:
    return Trial(
        index, f"t{index}", {}, state, observation=({"name": "mse", "latest": value, "min": value},)
    )


def test_a_trial_is_done_in_every_state_from_which_none_follows() -> None:
    assert {
        state
        for state in (*FINISHED, "Created", "Running")
        if replace(FULL_TRIAL, state=state).done
    } == FINISHED


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ("Succeeded", 1.5),
        ("EarlyStopped", 1.5),
        ("Failed", None),
        ("MetricsUnavailable", None),
        ("Running", None),
    ],
)
def test_only_a_trial_with_a_model_or_a_start_of_one_has_a_value(
    state: str, value: float | None
) -> None:
    assert replace(FULL_TRIAL, state=state).value("mse", "min") == value


def test_the_best_is_the_least_or_the_greatest_finite_one() -> None:
    trials = [
        valued_trial(0, "3"),
        valued_trial(1, "nan"),
        valued_trial(2, "1"),
        valued_trial(3, "-inf"),
        valued_trial(4, "9"),
        valued_trial(5, ""),
    ]
    least = best_trial(trials, metric="mse", strategy="min", minimize=True)
    greatest = best_trial(trials, metric="mse", strategy="min", minimize=False)
    assert least
    assert greatest
    assert (least.index, greatest.index) == (2, 4)


@pytest.mark.parametrize("minimize", [True, False])
def test_of_equals_the_earliest_is_the_best(*, minimize: bool) -> None:
    trials = [valued_trial(3, "1.0"), valued_trial(1, "1"), valued_trial(2, "1e0")]
    top = best_trial(trials, metric="mse", strategy="min", minimize=minimize)
    assert top
    assert top.index == 1


def test_without_a_finite_value_there_is_no_best() -> None:
    assert (
        best_trial(
            [valued_trial(0, "nan"), valued_trial(1, "1", "Failed")],
            metric="mse",
            strategy="min",
            minimize=True,
        )
        is None
    )
    assert best_trial([], metric="mse", strategy="min", minimize=True) is None


def test_a_reset_trial_keeps_its_name_place_and_point_and_nothing_else() -> None:
    fresh = Trial(0, FULL_TRIAL.name, FULL_TRIAL.assignments, created=FULL_TRIAL.created)
    assert reset_trial(FULL_TRIAL) == fresh
    assert json.loads(json.dumps(asdict(reset_trial(FULL_TRIAL))))["finished"] == ""
