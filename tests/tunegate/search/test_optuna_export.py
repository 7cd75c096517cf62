"""`tunegate export-study` on real runs, read back with Optuna."""

import json
import signal
from pathlib import Path

import optuna
from support.cli import tunegate
from support.katib.experiments import eventually, shell_command
from support.katib.runs import finished_run, running_engine
from support.patience import patience

SPACE = {"x": ("double", {"min": "0.001", "max": "1", "distribution": "logUniform"})}
FAIL_ONCE = '[ -e "SEEN" ] && echo mse=${trialParameters.x} || { touch "SEEN"; exit 3; }'


def export(state: Path, target: Path, *words: object) -> str:
    done = tunegate("export-study", *words, "--state", state, "--output", target, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["storage"])


def test_a_run_is_opened_by_optuna_with_its_trials_and_again_with_the_same(tmp_path: Path) -> None:
    script = FAIL_ONCE.replace("SEEN", str(tmp_path / "seen"))
    result = finished_run(tmp_path, *shell_command(script), parameters=SPACE, parallelTrialCount=1)
    for _ in range(2):
        storage = export(tmp_path, tmp_path / "study.db")
    study = optuna.load_study(study_name="tiny", storage=storage)
    assert [trial.user_attrs["trial"] for trial in study.trials] == [
        t["metadata"]["name"] for t in result.trials
    ]
    assert [trial.state.name for trial in study.trials] == [
        "FAIL",
        "COMPLETE",
        "COMPLETE",
        "COMPLETE",
    ]
    best = result.experiment["status"]["currentOptimalTrial"]
    assert study.best_trial.user_attrs["trial"] == best["bestTrialName"]
    assert study.best_params["x"] == float(best["parameterAssignments"][0]["value"])
    assert study.trials[0].distributions["x"].log  # type: ignore[attr-defined] # a float's
    assert "exit code 3" in study.trials[0].user_attrs["message"]


def test_running_trials_run_and_those_of_a_killed_run_wait(tmp_path: Path) -> None:
    with running_engine(tmp_path, *shell_command("sleep 60")) as (process, folder):
        eventually((folder / "trials.json").exists)
        eventually(lambda: (folder / "trials.json").read_text().count("TrialRunning") == 2)
        storage = export(tmp_path, tmp_path / "study.db", "tiny")
        assert [
            t.state.name for t in optuna.load_study(study_name="tiny", storage=storage).trials
        ] == ["RUNNING"] * 2
        process.send_signal(signal.SIGKILL)
        process.wait(patience(60))
    storage = export(tmp_path, tmp_path / "after.db", "tiny")
    assert [t.state.name for t in optuna.load_study(study_name="tiny", storage=storage).trials] == [
        "WAITING"
    ] * 2


def test_without_a_run_or_with_a_file_of_somebody_else_it_says_what_to_do(tmp_path: Path) -> None:
    done = tunegate("export-study", "--state", tmp_path)
    assert (done.returncode, "run `tunegate tune` first" in done.stderr) == (2, True)
    finished_run(tmp_path, *shell_command("echo mse=1"))
    mine = tmp_path / "notes.db"
    mine.write_text("my notes")
    done = tunegate("export-study", "--state", tmp_path, "--output", mine)
    assert done.returncode == 1
    assert "choose another --output" in done.stderr
    assert mine.read_text() == "my notes"
