"""Status documents as a real Katib wrote them; test_engine_recordings.py compares whole runs."""

from dataclasses import replace
from typing import Any

import pytest
from support.cluster.recordings import recorded_case
from support.katib.experiments import condition_pairs, make_experiment

from katib.local.job_template import render_job
from katib.local.katib_status import COUNTERS, end_reason, experiment_document, trial_document
from katib.trial import FINISHED, Trial

START = "2026-01-01T00:00:00Z"
END = "2026-01-01T00:00:09Z"


def done_trial(index: int, value: str = "5", state: str = "Succeeded") -> Trial:
    entry = {"name": "mse", "min": value, "max": value, "latest": value}
    return Trial(
        index, f"tiny-{index}", {"x": "0.5"}, state, START, START, END, "Because", "why", (entry,)
    )


def status_of(trials: list[Trial], end: str = "", **spec: object) -> dict[str, Any]:
    what = make_experiment("run", **spec)
    return dict(experiment_document(what, trials, started=START, ended=END, end=end)["status"])


def test_before_the_first_trial_there_is_only_created() -> None:
    empty = status_of([])
    assert [(c["type"], c["status"]) for c in empty["conditions"]] == [("Created", "True")]
    assert {key: value for key, value in empty.items() if key != "conditions"} == {
        "startTime": START,
        "currentOptimalTrial": {"observation": {}},
    }


def test_while_it_runs_there_is_no_completion_time() -> None:
    running = status_of(
        [
            done_trial(0),
            replace(done_trial(1), state="Running"),
            replace(done_trial(2), state="Created"),
        ]
    )
    assert "completionTime" not in running
    assert running["conditions"][-1]["type"] == "Running"
    assert (
        running["trials"],
        running["trialsSucceeded"],
        running["trialsRunning"],
        running["trialsPending"],
    ) == (
        3,
        1,
        1,
        1,
    )


@pytest.mark.parametrize("state", [*sorted(FINISHED), "Running", "Created"])
def test_each_state_has_katibs_counter_and_list_and_zeros_are_left_out(state: str) -> None:
    found = status_of([done_trial(0, state=state), done_trial(1, state=state)])
    counter, names = COUNTERS[state]
    assert (found[counter], found[names]) == (2, ["tiny-0", "tiny-1"])
    others = {name for pair in COUNTERS.values() for name in pair} - {counter, names}
    assert not others & set(found)


@pytest.mark.parametrize(
    ("end", "case"), [("max", "a-normal"), ("goal", "b-goal"), ("failed", "c-failing")]
)
def test_an_end_has_the_conditions_that_katib_wrote(end: str, case: str) -> None:
    def condition_texts(status: dict[str, Any]) -> list[tuple[str, ...]]:
        return [(c["type"], c["status"], c["reason"], c["message"]) for c in status["conditions"]]

    found = status_of([done_trial(0)], end)
    assert condition_texts(found) == condition_texts(recorded_case(case)["experiment"]["status"])
    assert found["completionTime"] == END


def test_the_optimum_holds_name_parameters_and_observation() -> None:
    optimal = status_of(
        [
            done_trial(0, "7"),
            done_trial(1, "3"),
            done_trial(2, "1", state="Failed"),
            done_trial(3, "nan"),
        ]
    )["currentOptimalTrial"]
    assert optimal["bestTrialName"] == "tiny-1"
    assert optimal["parameterAssignments"] == [{"name": "x", "value": "0.5"}]
    assert optimal["observation"] == {
        "metrics": [{"name": "mse", "min": "3", "max": "3", "latest": "3"}]
    }


def test_a_trials_document_names_its_experiment_objective_and_job() -> None:
    what = make_experiment("run", "${trialParameters.x}")
    document = trial_document(what, done_trial(0), render_job(what, {"x": "0.5"}, "tiny-0"))
    assert document["metadata"]["labels"] == {"katib.kubeflow.org/experiment": "tiny"}
    assert document["spec"]["objective"] == what.spec["objective"]
    assert document["spec"]["runSpec"]["metadata"]["name"] == "tiny-0"
    assert condition_pairs(document) == [
        ("Created", "True"),
        ("Running", "False"),
        ("Succeeded", "True"),
    ]
    started = trial_document(what, replace(done_trial(0), state="Running", observation=()), {})
    assert condition_pairs(started) == [("Created", "True"), ("Running", "True")]
    assert set(started["status"]) == {"startTime", "conditions"}


def objective_spec(kind: str = "minimize", **more: object) -> dict[str, object]:
    return {"type": kind, "objectiveMetricName": "mse", **more}


@pytest.mark.parametrize(
    ("trials", "spec", "end"),
    [
        ([], {}, ""),
        ([done_trial(0), done_trial(1)], {"maxTrialCount": 3}, ""),
        ([done_trial(0), done_trial(1), done_trial(2)], {"maxTrialCount": 3}, "max"),
        ([done_trial(0, state="MetricsUnavailable")] * 3, {"maxTrialCount": 3}, "max"),
        (
            [done_trial(0), done_trial(1), replace(done_trial(2), state="Running")],
            {"maxTrialCount": 3},
            "",
        ),
        ([done_trial(0, "4")], {"objective": objective_spec(goal=4)}, "goal"),
        ([done_trial(0, "4.1")], {"objective": objective_spec(goal=4)}, ""),
        ([done_trial(0, "0")], {"objective": objective_spec(goal=0)}, "goal"),
        ([done_trial(0, "4")], {"objective": objective_spec("maximize", goal=4)}, "goal"),
        ([done_trial(0, "3.9")], {"objective": objective_spec("maximize", goal=4)}, ""),
        ([done_trial(0, "nan")], {"objective": objective_spec(goal=4)}, ""),
        ([done_trial(0, "1", state="Failed")], {"objective": objective_spec(goal=4)}, ""),
        ([done_trial(0, "1", state="EarlyStopped")], {"objective": objective_spec(goal=4)}, "goal"),
        ([done_trial(0, state="Failed")], {"maxFailedTrialCount": 2}, ""),
        (
            [done_trial(0, state="Failed"), done_trial(1, state="MetricsUnavailable")],
            {"maxFailedTrialCount": 2},
            "failed",
        ),
        ([done_trial(0, state="Failed")], {"maxFailedTrialCount": 0}, "failed"),
        ([done_trial(0)], {"maxFailedTrialCount": 0}, ""),
        ([done_trial(0, state="Failed")] * 4, {}, "max"),
        (
            [done_trial(0, "1"), done_trial(1, state="Failed")],
            {"objective": objective_spec(goal=4), "maxFailedTrialCount": 1},
            "goal",
        ),
        ([done_trial(0, state="Failed")] * 4, {"maxFailedTrialCount": 4}, "failed"),
        ([done_trial(0)] * 50, {"maxTrialCount": None, "maxFailedTrialCount": 1}, ""),
    ],
)
def test_an_experiment_is_over_when_katib_says_so(
    trials: list[Trial], spec: dict[str, Any], end: str
) -> None:
    assert end_reason(make_experiment("run", **spec), trials) == end
