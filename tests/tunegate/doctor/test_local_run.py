"""What `tunegate doctor` says of runs on this machine; the runs are real ones."""

import json
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.cli import tunegate
from support.katib.experiments import eventually, python_command, shell_command
from support.katib.runs import change_json, finished_run, running_engine
from support.patience import patience

from katib.diagnosis.local_run import RunContext, explain_run
from katib.local.run_folder import read_run

NUMBERS = shell_command("echo mse=${trialParameters.x}")
Causes = list[dict[str, Any]]


def first_fails(seen: Path) -> tuple[str, ...]:
    """Return a command that fails once; `seen` is the file by which it knows."""
    return shell_command(
        f"[ -e {seen} ] && echo mse=${{trialParameters.x}}"
        f" || {{ touch {seen}; echo no such thing; exit 3; }}"
    )


def run_doctor(state: Path, *words: object) -> tuple[int, Causes]:
    done = tunegate("doctor", "--on", "local", "--state", state, "--json", *words)
    assert "Traceback" not in done.stderr
    causes: Causes = json.loads(done.stdout)
    assert len(done.stderr.splitlines()) == len(causes) <= 12
    return done.returncode, causes


def cause_names(causes: Causes) -> list[str]:
    return [cause["name"].removeprefix("run: ") for cause in causes]


def killed_run(state: Path, *command: str, **options: object) -> Path:
    """Leave a run that was killed while its first trials ran."""
    with running_engine(state, *command, **options) as (process, folder):
        eventually((folder / "trials.json").exists)
        process.send_signal(signal.SIGKILL)
        process.wait(patience(60))
    return folder


def test_before_the_first_run_nothing_is_wrong_and_it_says_how_to_begin(tmp_path: Path) -> None:
    code, (cause,) = run_doctor(tmp_path)
    assert code == 0
    assert cause["ok"]
    assert cause["fix"] == f"`tunegate tune --state {tmp_path}`"


def test_a_run_that_went_well_is_well_with_its_failures_named(tmp_path: Path) -> None:
    finished_run(tmp_path, *first_fails(tmp_path / "seen"), parallelTrialCount=1)
    code, causes = run_doctor(tmp_path)
    assert code == 0
    assert cause_names(causes) == ["nothing wrong", "the command fails"]
    assert "1 of 4 trials" in causes[1]["evidence"]
    assert "exit code 3: no such thing" in causes[1]["evidence"]


def test_a_run_of_which_few_trials_have_a_number_is_not_well(tmp_path: Path) -> None:
    first = f"mkdir {tmp_path}/a || mkdir {tmp_path}/b"
    command = shell_command(f"({first}) 2>/dev/null && echo mse=1.5 || echo mse=nan")
    finished_run(tmp_path / "state", *command, maxTrialCount=11, maxFailedTrialCount=11)
    code, causes = run_doctor(tmp_path / "state")
    assert code == 1
    assert "nothing wrong" not in cause_names(causes)
    assert "9 of 11 trials" in causes[0]["evidence"]


def test_a_run_under_way_is_well(tmp_path: Path) -> None:
    with running_engine(tmp_path, *shell_command("sleep 60")) as (_, folder):
        eventually((folder / "trials.json").exists)
        code, causes = run_doctor(tmp_path)
    assert (code, cause_names(causes)) == (0, ["running"])
    assert "2 Running" in causes[0]["evidence"]


@pytest.mark.parametrize(
    ("command", "cause", "seen"),
    [
        (
            shell_command("echo cannot do it; exit 3"),
            "the command fails",
            "exit code 3: cannot do it",
        ),
        (
            python_command("raise ValueError('bad value')"),
            "the command fails",
            "exit code 1: ValueError: bad value",
        ),
        (shell_command("exit 4"), "the command fails", "exit code 4, without output"),
        (shell_command("kill -9 $$$$"), "killed, as when memory runs out", "killed by signal 9"),
        (
            shell_command("sh -c 'kill -9 $$$$'; exit $?"),
            "killed, as when memory runs out",
            "exit code 137",
        ),
        (shell_command("kill -11 $$$$"), "crashed in native code", "killed by signal 11"),
        (
            python_command("import nothing_of_that_name"),
            "a module is missing",
            "No module named 'nothing_of_that_name'",
        ),
        (
            ("nothing-of-that-name",),
            "a command is missing",
            "nothing-of-that-name: command not found",
        ),
        (
            python_command("raise OSError(28, 'No space left on device')"),
            "disk full",
            "No space left on device",
        ),
        (
            python_command("open('/models/there/is/none')"),
            "a file is missing",
            "No such file or directory",
        ),
        (shell_command("echo mse: 5"), "no metric", "only `mse=<number>` is read"),
        (shell_command("true"), "no metric", "it printed nothing"),
        (shell_command("echo mse=nan"), "not a number", "its line 'mse=nan' has no finite number"),
    ],
)
def test_the_cause_that_all_trials_share_comes_first(
    tmp_path: Path, command: tuple[str, ...], cause: str, seen: str
) -> None:
    context = RunContext(datetime.now(UTC), free=1 << 40, changed="", tune="tunegate tune")
    causes = explain_run(
        read_run(finished_run(tmp_path, *command, maxTrialCount=2).folder), context
    )
    assert [found.name for found in causes] == [cause, "no candidate"]
    assert "2 of 2 trials" in causes[0].evidence
    assert seen in causes[0].evidence
    assert causes[0].fix
    assert not any(found.ok for found in causes)


def test_a_trial_over_its_deadline_is_too_slow(tmp_path: Path) -> None:
    finished_run(
        tmp_path,
        *shell_command("sleep 60"),
        job={"activeDeadlineSeconds": 1, "backoffLimit": 0},
        maxTrialCount=2,
    )
    _, causes = run_doctor(tmp_path)
    assert cause_names(causes)[0] == "too slow"
    assert "not done after 1 s" in causes[0]["evidence"]
    assert "activeDeadlineSeconds" in causes[0]["fix"]


def test_trials_that_push_nothing_are_told_to(tmp_path: Path) -> None:
    finished_run(
        tmp_path, "true", maxTrialCount=2, metricsCollectorSpec={"collector": {"kind": "Push"}}
    )
    _, causes = run_doctor(tmp_path)
    assert cause_names(causes)[0] == "no metric"
    assert "it pushed nothing" in causes[0]["evidence"]
    assert 'katib.report_metrics({"mse": <number>})' in causes[0]["fix"]


def test_a_metrics_file_that_was_not_written_or_holds_numbers_is_named(tmp_path: Path) -> None:
    path = {"path": "/logs/metrics.json", "format": "JSON", "kind": "File"}
    collector = {"collector": {"kind": "File"}, "source": {"fileSystemPath": path}}
    finished_run(tmp_path / "none", *shell_command("echo mse=1"), metricsCollectorSpec=collector)
    assert "it did not write /logs/metrics.json" in run_doctor(tmp_path / "none")[1][0]["evidence"]
    command = shell_command("""echo '{"mse": 0.5}' > /logs/metrics.json""")
    finished_run(tmp_path / "numbers", *command, metricsCollectorSpec=collector)
    assert "write it in quotation marks" in run_doctor(tmp_path / "numbers")[1][0]["evidence"]


def test_the_same_cause_in_other_numbers_is_one_and_the_most_frequent_comes_first(
    tmp_path: Path,
) -> None:
    script = (
        "import sys; v = float(sys.argv[1]); raise KeyError(v) if v > 0.1 else ValueError('rare')"
    )
    finished_run(tmp_path, *python_command(script), "${trialParameters.x}", maxTrialCount=20)
    _, causes = run_doctor(tmp_path)
    assert "KeyError" in causes[0]["evidence"]
    assert cause_names(causes).count("the command fails") <= 2


def test_too_many_failures_are_named_after_their_cause(tmp_path: Path) -> None:
    finished_run(tmp_path, *shell_command("exit 3"), maxFailedTrialCount=1, parallelTrialCount=1)
    code, causes = run_doctor(tmp_path)
    assert code == 1
    assert cause_names(causes) == ["the command fails", "too many failures", "no candidate"]
    assert "1 trials without a result, maxFailedTrialCount is 1" in causes[1]["evidence"]


def test_a_space_that_ended_early_is_named(tmp_path: Path) -> None:
    space = {"x": ("int", {"min": "1", "max": "2"})}
    folder = finished_run(tmp_path, *NUMBERS, parameters=space, maxTrialCount=9).folder
    code, causes = run_doctor(tmp_path)
    assert code == 0
    assert "all 2 points were tried before maxTrialCount 9" in causes[-1]["evidence"]
    change_json(folder / "run.json", lambda meta: meta.update(earlier=[[{"x": "3"}, 1.0]]))
    _, causes = run_doctor(tmp_path)
    assert "all points were tried, 2 of them in this run, before" in causes[-1]["evidence"]
    assert "leave --warm-start out" in causes[-1]["fix"]


def test_an_interrupted_run_names_the_command_that_goes_on_with_it(tmp_path: Path) -> None:
    go = tmp_path / "go"
    killed_run(
        tmp_path, *shell_command(f"[ -e {go} ] || sleep 60; echo mse=${{trialParameters.x}}")
    )
    code, (cause,) = run_doctor(tmp_path, "--experiment", tmp_path / "tiny.yaml")
    assert (code, cause["name"]) == (1, "run: interrupted")
    assert re.search(r"0 of 4 trials have ended \([^)]*[12] Running", cause["evidence"])
    command = cause["fix"].strip("`").split()
    assert command == [
        "tunegate",
        "tune",
        f"{tmp_path}/tiny.yaml",
        "--state",
        str(tmp_path),
        "--resume",
    ]
    go.touch()
    assert tunegate(*command[1:]).returncode == 0
    assert run_doctor(tmp_path)[0] == 0


def test_an_experiment_that_has_changed_since_is_named_with_the_field(tmp_path: Path) -> None:
    killed_run(tmp_path, *shell_command("sleep 60"))
    file = tmp_path / "tiny.yaml"
    file.write_text(file.read_text().replace("maxTrialCount: 4", "maxTrialCount: 9"))
    code, (cause,) = run_doctor(tmp_path, "--experiment", file)
    assert (code, cause["name"]) == (1, "run: Experiment changed")
    assert "spec.maxTrialCount: 9 here, 4 there" in cause["evidence"]
    assert (
        tunegate("tune", file, "--state", tmp_path, "--resume").returncode == 1
    )  # as the doctor says
    file.write_text("kind: Experiment")
    assert (
        "no valid Experiment any more" not in run_doctor(tmp_path)[1][0]["evidence"]
    )  # it was not asked about that file


def test_a_damaged_journal_is_named_by_its_line_and_one_that_was_cut_off_is_none(
    tmp_path: Path,
) -> None:
    folder = killed_run(tmp_path, *shell_command("sleep 60"))
    journal = folder / "trials.jsonl"
    with journal.open("a") as file:
        file.write('{"index": 7, "na')
    assert cause_names(run_doctor(tmp_path)[1]) == ["interrupted", "journal cut off"]
    journal.write_text("rubbish\n" + journal.read_text())
    before = journal.read_bytes()
    code, causes = run_doctor(tmp_path)
    assert (code, cause_names(causes)[0]) == (1, "damaged")
    assert f"{journal}:1: not a trial record" in causes[0]["evidence"]
    assert "starts a new run" in causes[0]["fix"]
    assert journal.read_bytes() == before


def test_a_damaged_status_is_written_anew_by_going_on(tmp_path: Path) -> None:
    folder = killed_run(tmp_path, *shell_command("sleep 60"))
    (folder / "experiment.json").write_text('{"metad')
    code, causes = run_doctor(tmp_path)
    assert (code, cause_names(causes)[0]) == (1, "damaged")
    assert "experiment.json: not JSON" in causes[0]["evidence"]
    assert "--resume" in causes[0]["fix"]
    (folder / "experiment.json").write_text(
        '{"spec": {"objective": []}, "status": {"conditions": []}}'
    )
    assert (
        "experiment.json: not an Experiment with its status"
        in run_doctor(tmp_path)[1][0]["evidence"]
    )


def test_a_trial_that_takes_far_longer_than_the_others_hangs(tmp_path: Path) -> None:
    with running_engine(tmp_path, *shell_command("sleep 60")) as (_, folder):
        eventually((folder / "trials.json").exists)
        journal = folder / "trials.jsonl"
        first, *_ = map(json.loads, journal.read_text().splitlines())
        quick = {
            "state": "Succeeded",
            "started": "2026-01-01T00:00:00Z",
            "finished": "2026-01-01T00:00:02Z",
        }
        slow = {
            "index": 9,
            "name": "tiny-slow",
            "state": "Running",
            "started": "2026-01-01T00:00:00Z",
        }
        lines = [{**first, **quick}, {**first, **slow}]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
        code, causes = run_doctor(tmp_path)
    assert (code, cause_names(causes)[0]) == (1, "a trial hangs")
    assert "tiny-slow has run for" in causes[0]["evidence"]
    assert "the others took 2 s" in causes[0]["evidence"]


def test_without_on_it_looks_at_the_machine_too_and_the_run_comes_first(tmp_path: Path) -> None:
    finished_run(tmp_path, *shell_command("exit 3"))
    done = tunegate("doctor", "--state", tmp_path, "--json")
    assert done.returncode == 1
    found = [symptom["name"] for symptom in json.loads(done.stdout)]
    assert found[0] == "run: the command fails"
    assert {"python", "state space", "pointer", "server"} <= set(found)
    assert len(done.stderr.splitlines()) <= 24


def test_nothing_of_a_run_is_written_by_looking_at_it(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, *shell_command("exit 3")).folder
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    run_doctor(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
