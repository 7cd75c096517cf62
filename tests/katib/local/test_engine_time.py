"""A limit on the time: when the last trial starts, and that nothing else changes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    comparable_trials,
    make_engine,
    make_experiment,
    run_experiment,
    shell_command,
    trial_assignments,
    trial_states,
)

from katib.local.engine import Result
from katib.trial import Trial

SPEC: dict[str, Any] = {
    "algorithm": algorithm_spec("multivariate-tpe", n_startup_trials="2"),
    "maxTrialCount": 6,
}
QUICK = shell_command("echo mse=${trialParameters.x}")
BOTH = pytest.mark.parametrize("annotations", [None, BATCH], ids=["as Katib", "batch"])


class EndTime:
    """Lets an engine's time be over at its n-th start, by the clock that it looks at."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.ended = 0

    def started(self, trial: Trial) -> None:
        self.left -= 1
        if self.left == 0:
            self.engine._last_start = asyncio.get_running_loop().time()

    def finished(self, trial: Trial, top: Trial | None) -> None:
        self.ended += 1


def run_until(at: int, what: Any, folder: Path, **options: object) -> Result:  # noqa: ANN401
    events = EndTime(at)
    events.engine = make_engine(what, folder, events=events, seconds=3600.0, **options)
    return asyncio.run(events.engine.run())


@BOTH
def test_no_trial_starts_after_the_time_and_those_that_run_are_finished(
    tmp_path: Path, annotations: dict[str, str] | None
) -> None:
    slow = shell_command("sleep 1.5; echo mse=${trialParameters.x}")
    result = run_experiment(
        make_experiment(*slow, **SPEC, annotations=annotations), tmp_path, seconds=0.5
    )
    assert trial_states(result)[:1] == ["Succeeded"]
    assert set(trial_states(result)) <= {
        "Succeeded",
        "Created",
    }  # on a slow machine the second had not started either
    assert len(result.trials) <= 2
    last = result.experiment["status"]["conditions"][-1]
    assert (result.end, result.succeeded) == ("time", True)
    assert (last["reason"], last["message"]) == (
        "ExperimentTimeLimitReached",
        "Experiment has succeeded because its time is over",
    )
    assert "completionTime" in result.experiment["status"]
    assert json.loads((tmp_path / "experiment.json").read_bytes()) == result.experiment


def test_one_trial_starts_in_any_case(tmp_path: Path) -> None:
    result = run_experiment(make_experiment(*QUICK, **SPEC), tmp_path, seconds=1e-9)
    assert trial_states(result).count("Succeeded") == 1


def test_the_count_and_the_goal_come_before_the_time(tmp_path: Path) -> None:
    assert (
        run_experiment(make_experiment(*QUICK, **SPEC), tmp_path / "count", seconds=3600).end
        == "max"
    )
    goal = {"objective": {"type": "minimize", "objectiveMetricName": "mse", "goal": 2}}
    what = make_experiment(*QUICK, **{**SPEC, **goal, "maxTrialCount": 2})
    assert run_experiment(what, tmp_path / "goal", seconds=1e-9).end == "goal"


@pytest.mark.parametrize("at", range(1, 6))
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_run_that_goes_on_after_its_time_is_the_run_without_a_limit(
    tmp_path: Path, at: int, cpus: int
) -> None:
    """If the time ends before the whole batch has started, its rest is the next to start."""
    what = make_experiment(*QUICK, **SPEC, annotations=BATCH)
    whole = run_experiment(what, tmp_path / "whole")
    first = run_until(at, what, tmp_path / "limited", cpus=cpus)
    assert (first.end, trial_states(first).count("Succeeded")) == ("time", at)
    assert [trial["metadata"]["name"] for trial in first.trials] == [
        p[0] for p in comparable_trials(whole)
    ][: len(first.trials)]
    events = EndTime(99)
    resumed = run_experiment(what, tmp_path / "limited", seconds=3600, events=events)
    assert (resumed.end, comparable_trials(resumed)) == ("max", comparable_trials(whole))
    assert events.ended == 6 - at


def test_time_after_time_gets_to_the_end(tmp_path: Path) -> None:
    what = make_experiment(*QUICK, **SPEC, annotations=BATCH)
    counts = []
    for _ in range(6):
        result = run_experiment(what, tmp_path / "run", seconds=1e-9)
        counts.append(trial_states(result).count("Succeeded"))
    assert counts == [1, 2, 3, 4, 5, 6]
    assert result.end == "max"
    assert trial_assignments(result) == trial_assignments(run_experiment(what, tmp_path / "whole"))
