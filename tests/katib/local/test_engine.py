"""Experiments end to end, with real processes: what the result, the files and the events say."""

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    condition_pairs,
    make_engine,
    make_experiment,
    python_command,
    run_experiment,
    shell_command,
    trial_assignments,
    trial_log,
    trial_states,
)

from katib.errors import EngineError
from katib.local.job_template import PathMap
from katib.search.sampler import Search, TrialRecord
from katib.trial import Trial

ECHO = shell_command("echo mse=${trialParameters.x}")
ONE = {"maxTrialCount": 1, "parallelTrialCount": 1}
SMALL = {"x": ("discrete", {"list": ["1", "2", "3"]})}


def optimum(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["status"]["currentOptimalTrial"])


@pytest.mark.parametrize("annotations", [None, BATCH], ids=["as Katib", "batch"])
def test_all_trials_run_and_the_least_is_the_optimum(
    tmp_path: Path, annotations: dict[str, str] | None
) -> None:
    result = run_experiment(
        make_experiment(*ECHO, maxTrialCount=5, annotations=annotations), tmp_path
    )
    values = [float(point["x"]) for point in trial_assignments(result)]
    assert trial_states(result) == ["Succeeded"] * 5
    assert (result.end, result.succeeded) == ("max", True)
    assert optimum(result.experiment)["parameterAssignments"] == [
        {"name": "x", "value": repr(min(values))}
    ]
    assert len(set(values)) == 5


def test_the_greatest_is_the_optimum_when_maximizing(tmp_path: Path) -> None:
    objective = {"type": "maximize", "objectiveMetricName": "mse"}
    result = run_experiment(make_experiment(*ECHO, objective=objective), tmp_path)
    best = max(float(point["x"]) for point in trial_assignments(result))
    assert optimum(result.experiment)["observation"]["metrics"][0]["max"] == repr(best)


def test_the_files_of_a_run_say_what_the_result_says(tmp_path: Path) -> None:
    result = run_experiment(make_experiment(*ECHO), tmp_path)
    assert json.loads((tmp_path / "experiment.json").read_bytes()) == result.experiment
    assert json.loads((tmp_path / "trials.json").read_bytes())["items"] == result.trials
    assert "mse=" in trial_log(result)
    assert not list(tmp_path.glob("*.new"))


def test_a_trials_name_is_the_experiments_and_eight_safe_letters(tmp_path: Path) -> None:
    first, second = (
        run_experiment(make_experiment(*ECHO, annotations=BATCH), tmp_path / name) for name in "ab"
    )
    names = [trial["metadata"]["name"] for trial in first.trials]
    assert len(set(names)) == 4
    assert all(
        name.startswith("tiny-") and set(name[5:]) <= set("bcdfghjklmnpqrstvwxz2456789")
        for name in names
    )
    assert {len(name) for name in names} == {13}
    assert [trial["metadata"]["name"] for trial in second.trials] == names


def test_a_trial_knows_its_name(tmp_path: Path) -> None:
    result = run_experiment(
        make_experiment(*shell_command("echo $KATIB_TRIAL_NAME; echo mse=${trialParameters.x}")),
        tmp_path,
    )
    assert trial_log(result, 2).splitlines()[0] == result.trials[2]["metadata"]["name"]


def test_the_first_trial_takes_the_given_parameters(tmp_path: Path) -> None:
    result = run_experiment(make_experiment(*ECHO), tmp_path, first={"x": 0.25, "other": 3})
    assert trial_assignments(result)[0] == {"x": "0.25"}


def test_an_exhausted_space_ends_the_experiment_and_says_so(tmp_path: Path) -> None:
    result = run_experiment(
        make_experiment(
            *ECHO, parameters=SMALL, maxTrialCount=10, algorithm=algorithm_spec("grid")
        ),
        tmp_path,
    )
    assert trial_assignments(result) == [{"x": "1"}, {"x": "2"}, {"x": "3"}]
    assert (result.end, result.succeeded) == ("space", True)
    assert (
        result.experiment["status"]["conditions"][-1]["reason"] == "ExperimentSuggestionEndReached"
    )


def test_a_space_that_earlier_runs_have_tried_whole_ends_it_at_once(tmp_path: Path) -> None:
    what = make_experiment(*ECHO, parameters=SMALL, algorithm=algorithm_spec("grid"))
    points = Search(what.parameters, "grid", {}, minimize=True, seed=1, first={}).ask([], 9)
    result = run_experiment(
        what, tmp_path, earlier=[TrialRecord(point, "complete", 1.0) for point in points]
    )
    assert (result.end, result.trials, result.succeeded) == ("space", [], True)
    assert "completionTime" in result.experiment["status"]


@pytest.mark.parametrize("annotations", [None, BATCH], ids=["as Katib", "batch"])
def test_a_goal_ends_it_and_what_runs_is_let_finish(
    tmp_path: Path, annotations: dict[str, str] | None
) -> None:
    objective = {"type": "minimize", "objectiveMetricName": "mse", "goal": 2}
    grid = {"algorithm": algorithm_spec("grid"), "maxTrialCount": 3, "parallelTrialCount": 3}
    result = run_experiment(
        make_experiment(
            *ECHO, parameters=SMALL, objective=objective, annotations=annotations, **grid
        ),
        tmp_path,
        cpus=3,
    )
    assert result.end == "goal"
    assert trial_states(result) == ["Succeeded"] * 3


def test_without_a_limit_it_goes_on_to_the_goal(tmp_path: Path) -> None:
    objective = {"type": "maximize", "objectiveMetricName": "mse", "goal": 7}
    parameters = {"x": ("int", {"min": "1", "max": "9"})}
    what = make_experiment(
        *ECHO,
        objective=objective,
        parameters=parameters,
        maxTrialCount=None,
        algorithm=algorithm_spec("grid"),
    )
    assert run_experiment(what, tmp_path).end == "goal"


def test_volumes_are_there_before_the_trial_starts_and_scratch_is_empty_at_each_start(
    tmp_path: Path,
) -> None:
    script = (
        "mkdir /scratch/x || exit 9; test -e first && echo mse=1 && exit 0; touch first; exit 1"
    )
    mounts = [
        {"name": "models", "mountPath": "/models"},
        {"name": "scratch", "mountPath": "/scratch"},
    ]
    volumes = [
        {"name": "models", "persistentVolumeClaim": {"claimName": "m"}},
        {"name": "scratch", "emptyDir": {}},
    ]
    what = make_experiment(
        *shell_command(script),
        container={"volumeMounts": mounts, "workingDir": "/models"},
        job={"backoffLimit": 1},
        pod={"volumes": volumes},
        **ONE,
    )
    result = run_experiment(what, tmp_path / "run", paths=PathMap(tmp_path / "volumes"))
    assert (trial_states(result), trial_log(result)) == (["Succeeded"], "mse=1\n")
    assert (tmp_path / "volumes/m/first").exists()


def test_events_tell_each_start_and_each_end_with_the_best_so_far(tmp_path: Path) -> None:
    class Events:
        def __init__(self) -> None:
            self.calls: list[tuple[str, str, float | None]] = []

        def started(self, trial: Trial) -> None:
            self.calls.append(("started", trial.state, None))

        def finished(self, trial: Trial, top: Trial | None) -> None:
            self.calls.append(("finished", trial.state, top.value("mse", "min") if top else None))

    events = Events()
    grid = {
        "parameters": SMALL,
        "algorithm": algorithm_spec("grid"),
        "parallelTrialCount": 1,
        "maxTrialCount": 3,
    }
    what = make_experiment(
        *shell_command("test ${trialParameters.x} != 1 && echo mse=-${trialParameters.x}"), **grid
    )
    run_experiment(what, tmp_path, events=events)
    start = ("started", "Running", None)
    expected = [start, ("finished", "Failed", None), start, ("finished", "Succeeded", -2.0), start]
    assert events.calls == [*expected, ("finished", "Succeeded", -3.0)]


def test_times_are_the_given_clocks_in_utc(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))
    result = run_experiment(
        make_experiment(*ECHO), tmp_path, clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)
    )
    status = result.experiment["status"]
    times = {condition["lastTransitionTime"] for condition in status["conditions"]}
    assert times | {status["startTime"], status["completionTime"]} == {"2026-01-02T01:04:05Z"}


def test_a_run_without_a_seed_draws_one_and_keeps_it(tmp_path: Path) -> None:
    unseeded = {"algorithm": {"algorithmName": "random"}}
    seeds = set()
    for name in "abc":
        run_experiment(make_experiment(*ECHO, **unseeded), tmp_path / name)
        seeds.add(json.loads((tmp_path / name / "run.json").read_bytes())["seed"])
    assert len(seeds) == 3


def test_two_engines_cannot_run_one_folder(tmp_path: Path) -> None:
    what = make_experiment(*ECHO)

    async def both() -> list[object]:
        return await asyncio.gather(
            *(make_engine(what, tmp_path).run() for _ in range(2)), return_exceptions=True
        )

    first, second = asyncio.run(both())
    assert isinstance(second, EngineError)
    assert "another process" in str(second)
    assert not isinstance(first, BaseException)


def test_a_running_experiment_can_be_watched_in_its_file(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    class Events:
        def started(self, trial: Trial) -> None:
            """Look again at the next end."""

        def finished(self, trial: Trial, top: Trial | None) -> None:
            seen.append(json.loads((tmp_path / "experiment.json").read_bytes()))

    run_experiment(
        make_experiment(*python_command("print('mse=1')"), parallelTrialCount=1, maxTrialCount=2),
        tmp_path,
        events=Events(),
    )
    assert condition_pairs(seen[0]) == [("Created", "True"), ("Running", "True")]
    assert seen[0]["status"]["trialsRunning"] == 1
    assert datetime.fromisoformat(seen[0]["status"]["startTime"]).tzinfo == UTC
