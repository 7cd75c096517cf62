"""The local engine's objects at the end, against those that a real Katib left in the same case."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster.recordings import recorded_case
from support.katib.experiments import run_experiment, shell_command

from katib.document import parse_document
from katib.experiment import to_experiment

FIGURES = "echo n=1; echo mse=10.20; echo r2=0.8980"
TRIALS = {
    "a-normal": FIGURES,
    "b-goal": FIGURES,
    "c-failing": "echo bad things happen >&2; exit 3",
    "c2-failing-unbounded": "echo bad things happen >&2; exit 3",
    "d-unavailable": "echo done",
    "d2-nan": "echo mse=nan",
}
TIMES = {"startTime", "completionTime", "lastUpdateTime", "lastTransitionTime"}
RACES = {
    "c-failing",
    "d-unavailable",
}  # two may fail at once, or one after the other with a third between them
WAITING = {
    "trialsPending",
    "pendingTrialList",
}  # that third is not started any more if it comes too late


def run_case(case: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the case's own Experiment with a shorter trial; return recorded and local objects."""
    applied = recorded_case(case)["applied"]
    container = applied["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"][
        "containers"
    ][0]
    container["env"] = [{"name": "USED", "value": " ".join(container["command"][2:])}]
    container["command"] = list(shell_command(TRIALS[case]))
    result = run_experiment(to_experiment(parse_document(yaml.safe_dump(applied))), folder, cpus=2)
    return recorded_case(case), {"experiment": result.experiment, "trials": result.trials}


def shape(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Names of fields and kinds of values, with conditions kept whole but for times."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items()) if key not in TIMES}
    if isinstance(value, list):
        return [shape(item) for item in value if isinstance(item, dict)] or [
            type(item).__name__ for item in value[:1]
        ]
    return value


def started_trials(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in trials if trial["status"]["conditions"][-1]["type"] != "Created"]


def counters(experiment: dict[str, Any]) -> dict[str, int]:
    return {key: value for key, value in experiment["status"].items() if isinstance(value, int)}


def trial_conditions(trial: dict[str, Any]) -> list[list[str]]:
    """Conditions of a trial; of a failure's message the part before the reason."""
    rows = [
        [c["type"], c["status"], c["reason"], c["message"]] for c in trial["status"]["conditions"]
    ]
    return [
        [*row[:3], row[3].partition(". Job message")[0] if row[0] == "Failed" else row[3]]
        for row in rows
    ]


@pytest.mark.parametrize("case", TRIALS)
def test_status_has_the_fields_and_conditions_that_katib_wrote(case: str, tmp_path: Path) -> None:
    katibs, ours = (objects["experiment"] for objects in run_case(case, tmp_path))
    assert shape(ours["status"]["conditions"]) == shape(katibs["status"]["conditions"])
    late = WAITING if case in {*RACES, "b-goal"} else set()  # of Katib's b-goal frozen by a race
    assert set(ours["status"]) - late == set(katibs["status"]) - late


@pytest.mark.parametrize("case", TRIALS)
def test_counters_are_katibs_but_for_races(case: str, tmp_path: Path) -> None:
    katibs, ours = (counters(objects["experiment"]) for objects in run_case(case, tmp_path))
    if case == "b-goal":  # here the first two reach the goal
        assert ours == {"trials": 2, "trialsSucceeded": 2}
    elif case in RACES:
        waiting = ours.pop("trialsPending", 0)
        failed = next(name for name in katibs if name != "trials")
        assert ours == {"trials": ours[failed] + waiting, failed: ours[failed]}
        assert 2 <= ours[failed] <= ours["trials"] <= 3
    else:
        assert ours == katibs


@pytest.mark.parametrize("case", TRIALS)
def test_trials_have_the_fields_and_conditions_that_katib_wrote(case: str, tmp_path: Path) -> None:
    katibs, ours = (objects["trials"] for objects in run_case(case, tmp_path))
    for trial in started_trials(ours):
        assert trial_conditions(trial) == trial_conditions(katibs[0])
        assert set(trial["status"]) == set(katibs[0]["status"])
        assert shape(trial["spec"]["objective"]) == shape(katibs[0]["spec"]["objective"])
        assert [p["name"] for p in trial["spec"]["parameterAssignments"]] == [
            "n_estimators",
            "max_depth",
        ]


@pytest.mark.parametrize("case", ["d-unavailable", "d2-nan"])
def test_an_observation_without_a_number_is_the_one_that_katib_stored(
    case: str, tmp_path: Path
) -> None:
    katibs, ours = (
        objects["trials"][0]["status"]["observation"]["metrics"]
        for objects in run_case(case, tmp_path)
    )
    by_name = [sorted(metrics, key=lambda metric: metric["name"]) for metrics in (katibs, ours)]
    assert by_name[0] == by_name[1]


def test_the_optimum_has_katibs_fields_and_text(tmp_path: Path) -> None:
    katibs, ours = (
        objects["experiment"]["status"]["currentOptimalTrial"]
        for objects in run_case("a-normal", tmp_path)
    )
    assert set(ours) == set(katibs)
    assert shape(ours["observation"]) == shape(katibs["observation"])


@pytest.mark.parametrize("case", ["c-failing", "c2-failing-unbounded", "d-unavailable", "d2-nan"])
def test_without_a_number_there_is_no_optimum(case: str, tmp_path: Path) -> None:
    _, ours = run_case(case, tmp_path)
    assert ours["experiment"]["status"]["currentOptimalTrial"] == {"observation": {}}
