"""`--time` through the real command: how it ends, how it is resumed, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cli import small_experiment, tunegate
from support.katib.experiments import (
    BATCH,
    algorithm_spec,
    build_document,
    shell_command,
    using_parameters,
)
from support.katib.runs import change_json

from tunegate.errors import UsageError
from tunegate.settings import load_settings
from tunegate.settings.duration import duration


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Four trials of half a second, two at a time."""
    command = shell_command("sleep 0.5; echo mse=${trialParameters.x}")
    document = build_document(*command, annotations=BATCH, algorithm=algorithm_spec("random"))
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(using_parameters(document)))
    return path


def tune(*words: object, code: int = 0, **env: str) -> tuple[dict[str, Any], str]:
    done = tunegate("tune", *words, "--json", "--cpus", "2", env=env)
    assert done.returncode == code, done.stderr
    return (json.loads(done.stdout) if done.stdout else {}), done.stderr


def test_a_search_ended_by_its_time_is_gone_on_with_and_then_has_ended(
    experiment: Path, tmp_path: Path
) -> None:
    flags = (experiment, "--state", tmp_path / "state")
    first, said = tune(*flags, "--time", "0.1s")
    assert first["status"]["conditions"][-1]["reason"] == "ExperimentTimeLimitReached"
    assert first["status"]["trialsSucceeded"] in {1, 2}
    assert "Experiment has succeeded because its time is over; best trial: tiny-" in said
    resumed, _ = tune(*flags, "--resume", "--time", "1h")
    assert resumed["status"]["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"
    assert resumed["status"]["trialsSucceeded"] == 4
    _, said = tune(*flags, "--resume", code=2)
    assert "has ended: there is nothing to resume" in said
    whole, _ = tune(experiment, "--state", tmp_path / "other")
    assert whole["status"]["succeededTrialList"] == resumed["status"]["succeededTrialList"]


def test_without_a_file_the_newest_run_goes_on_with_the_experiment_that_it_began_with(
    experiment: Path, tmp_path: Path
) -> None:
    whole, _ = tune(experiment, "--state", tmp_path / "whole")
    tune(experiment, "--state", tmp_path / "state", "--time", "0.1s")
    experiment.write_text("the next Experiment, half written")
    resumed, said = tune("--state", tmp_path / "state", "--resume")
    assert f"resuming {tmp_path / 'state' / 'experiments' / 'tiny' / '0001'}" in said
    assert resumed["status"]["succeededTrialList"] == whole["status"]["succeededTrialList"]
    _, said = tune("--state", tmp_path / "state", "--resume", code=2)
    assert "has ended: there is nothing to resume" in said


@pytest.mark.parametrize("command", ["tune", "run"])
def test_without_a_file_and_a_run_that_tells_it_says_what_to_give(
    experiment: Path, tmp_path: Path, command: str
) -> None:
    flags = ("--state", tmp_path / "state", "--resume")
    done = tunegate(command, *flags)
    assert done.returncode == 2
    assert f"no run to resume below {tmp_path / 'state' / 'experiments'}" in done.stderr
    tune(experiment, "--state", tmp_path / "state", "--time", "0.1s")
    change_json(
        next(tmp_path.glob("state/experiments/*/*/run.json")), lambda meta: meta.pop("experiment")
    )  # of old, it had none
    done = tunegate(command, *flags)
    assert done.returncode == 2
    assert "experiments/tiny/0001 does not tell its Experiment" in done.stderr
    assert "name the file too: FILE --resume" in done.stderr


def test_the_environment_sets_it_and_a_flag_wins(experiment: Path, tmp_path: Path) -> None:
    by_environment, _ = tune(experiment, "--state", tmp_path / "state", TUNEGATE_TIME="0.1")
    assert by_environment["status"]["conditions"][-1]["reason"] == "ExperimentTimeLimitReached"
    by_flag, _ = tune(
        experiment, "--state", tmp_path / "state", "--time", "1h", TUNEGATE_TIME="0.1"
    )
    assert by_flag["status"]["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"


def test_a_run_with_little_time_goes_to_the_gate_with_the_best_of_what_it_has(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    done = tunegate(
        "run", small_experiment(tmp_path), "--state", state, "--time", "1s", "--no-serve", "--json"
    )
    verdict = json.loads(done.stdout)
    status = json.loads(next(state.glob("experiments/*/*/experiment.json")).read_bytes())["status"]
    assert status["conditions"][-1]["reason"] == "ExperimentTimeLimitReached"
    assert status["trialsSucceeded"] < 4
    losses = {
        each["trial"]: each["loss"] for each in verdict.get("finalists", ())
    }  # none where one had the time
    best = min(losses or status["succeededTrialList"], key=lambda trial: losses.get(trial, 0))
    assert verdict["candidate"]["trial"] == best, done.stderr


def test_on_a_cluster_it_is_refused_with_what_to_do(experiment: Path) -> None:
    done = tunegate("tune", experiment, "--on", "katib", "--time", "5m")
    assert done.returncode == 2
    assert "--time is for local runs" in done.stderr
    assert "set maxTrialCount" in done.stderr


HUGE = "9" * 400


@pytest.mark.parametrize(
    "text",
    ["0", "0s", "-5", "5x", "", "m", "1m1h", "nan", "inf", "1e3", "5 m", "²s", HUGE, HUGE + "s"],
)
def test_what_is_no_duration_is_refused_by_name(text: str, experiment: Path) -> None:
    with pytest.raises(UsageError, match=r"time: .*write 90s, 5m or 1h30m") as error:
        load_settings(time=text)
    assert "TUNEGATE_" in error.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("0.5", 0.5),
        (" 7 ", 7),
        (90, 90),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: object, seconds: float) -> None:
    assert duration(text) == seconds
    assert load_settings(time=text).time == seconds
