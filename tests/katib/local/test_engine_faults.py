"""Trials that misbehave, each with a real process: what becomes of the trial, and of the engine."""

import time
from pathlib import Path

import pytest
from support.katib.experiments import (
    eventually,
    find_processes,
    make_experiment,
    python_command,
    run_experiment,
    shell_command,
    trial_log,
    trial_states,
)
from support.katib.launchers import linux
from support.patience import patience

from katib.local.engine import Result

ONE = {"maxTrialCount": 1, "parallelTrialCount": 1}
FILE = {"kind": "File"}


def run_one_trial(folder: Path, *command: str, **options: object) -> Result:
    """Run an Experiment of one trial."""
    return run_experiment(make_experiment(*command, **{**ONE, **options}), folder)


def trial_end(result: Result) -> tuple[str, str]:
    """Return the message and the reason of the only trial's last condition."""
    last = result.trials[0]["status"]["conditions"][-1]
    return last["reason"], last["message"]


def latest_value(result: Result) -> str | None:
    metrics = result.trials[0]["status"].get("observation", {}).get("metrics", [{}])
    return next(iter(metrics)).get("latest")


@linux
def test_a_hanging_trial_fails_at_its_deadline_and_leaves_nothing(
    tmp_path: Path, seconds: str
) -> None:
    began = time.monotonic()
    hang = shell_command(f"sleep {seconds} & sleep {seconds}")
    result = run_one_trial(tmp_path, *hang, job={"activeDeadlineSeconds": 1, "backoffLimit": 3})
    assert time.monotonic() - began < patience(10)
    assert trial_states(result) == ["Failed"]
    reason = "TrialFailed. Job reason: DeadlineExceeded"
    assert trial_end(result) == (
        reason,
        "Trial has failed. Job message: Job was active longer than specified deadline",
    )
    eventually(lambda: not find_processes(seconds))


def test_the_deadline_is_for_all_attempts_together(tmp_path: Path) -> None:
    script = "echo x >> /count/n; sleep 0.4; exit 1"
    options = {
        "container": {"volumeMounts": [{"name": "count", "mountPath": "/count"}]},
        "pod": {"volumes": [{"name": "count", "hostPath": {}}]},
        "job": {"activeDeadlineSeconds": 1, "backoffLimit": 50},
    }
    assert trial_end(run_one_trial(tmp_path, *shell_command(script), **options))[0].endswith(
        "DeadlineExceeded"
    )
    assert 1 < len((tmp_path / "volumes/count/n").read_text().splitlines()) <= 3


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-command",), "exit code 127"),
        (shell_command("exit 3"), "exit code 3"),
        (shell_command("kill -SEGV $$$$"), "killed by signal 11"),
        (shell_command("kill -9 $$$$"), "killed by signal 9"),
        (python_command("raise SystemExit('no')"), "exit code 1"),
    ],
    ids=["not found", "exit code", "crash", "killed", "message"],
)
def test_a_trial_that_ends_badly_has_failed_and_says_how(
    tmp_path: Path, command: tuple[str, ...], message: str
) -> None:
    result = run_one_trial(tmp_path, *command)
    assert trial_states(result) == ["Failed"]
    assert trial_end(result) == (
        "TrialFailed. Job reason: BackoffLimitExceeded",
        f"Trial has failed. Job message: {message}",
    )


def test_a_trial_that_printed_its_metric_and_then_failed_has_no_observation(tmp_path: Path) -> None:
    result = run_one_trial(tmp_path, *shell_command("echo mse=1; exit 1"))
    assert trial_states(result) == ["Failed"]
    assert "observation" not in result.trials[0]["status"]


@pytest.mark.parametrize(("limit", "starts"), [(0, 1), (2, 3)])
def test_a_failing_trial_is_tried_as_often_as_its_job_allows(
    tmp_path: Path, limit: int, starts: int
) -> None:
    count = tmp_path / "count"
    result = run_one_trial(
        tmp_path / "run", *shell_command(f"echo x >> {count}; exit 1"), job={"backoffLimit": limit}
    )
    assert trial_states(result) == ["Failed"]
    assert len(count.read_text().splitlines()) == starts


def test_a_trial_that_succeeds_when_tried_again_has_succeeded_with_what_it_said_then(
    tmp_path: Path,
) -> None:
    script = (
        f"echo mse=9; test -e {tmp_path}/mark && exit 0; touch {tmp_path}/mark; echo mse=1; exit 1"
    )
    result = run_one_trial(tmp_path / "run", *shell_command(script), job={"backoffLimit": 1})
    assert (trial_states(result), latest_value(result), trial_log(result)) == (
        ["Succeeded"],
        "9",
        "mse=9\n",
    )
    assert result.trials[0]["status"]["observation"]["metrics"][0]["min"] == "9"


def test_not_a_number_succeeds_without_latest_and_is_never_the_best(tmp_path: Path) -> None:
    script = "test ${trialParameters.x} = 1 && echo mse=nan || echo mse=5"
    parameters = {"x": ("discrete", {"list": ["1", "2"]})}
    what = make_experiment(*shell_command(script), parameters=parameters, maxTrialCount=2)
    result = run_experiment(what, tmp_path)
    by_value = {trial["spec"]["parameterAssignments"][0]["value"]: trial for trial in result.trials}
    assert trial_states(result) == ["Succeeded"] * 2
    nothing = {"name": "mse", "min": "unavailable", "max": "unavailable"}
    assert by_value["1"]["status"]["observation"]["metrics"] == [nothing]
    assert (
        result.experiment["status"]["currentOptimalTrial"]["bestTrialName"]
        == by_value["2"]["metadata"]["name"]
    )


def test_binary_output_is_kept_readable_and_the_metric_is_read(tmp_path: Path) -> None:
    script = r"import sys; sys.stdout.buffer.write(bytes(range(256)) * 50 + b'\nmse=4\n\x00\xff')"
    result = run_one_trial(tmp_path, *python_command(script))
    assert (trial_states(result), latest_value(result)) == (["Succeeded"], "4")
    assert "mse=4\n\x00\ufffd" in trial_log(result)


def test_the_metric_is_found_after_a_very_long_line(tmp_path: Path) -> None:
    result = run_one_trial(tmp_path, *python_command("print('mse' * 3_000_000); print('mse=4')"))
    assert (trial_states(result), latest_value(result)) == (["Succeeded"], "4")


def test_a_metric_without_an_end_of_line_is_read(tmp_path: Path) -> None:
    assert latest_value(run_one_trial(tmp_path, *shell_command("printf mse=4"))) == "4"


@linux
def test_what_a_trial_leaves_in_the_background_ends_with_it(tmp_path: Path, seconds: str) -> None:
    result = run_one_trial(
        tmp_path, *shell_command(f"(sleep {seconds}; sleep {seconds}) & echo mse=1")
    )
    assert trial_states(result) == ["Succeeded"]
    eventually(lambda: not find_processes(seconds))


@linux
def test_a_process_that_left_the_group_and_holds_the_output_does_not_hold_the_run(
    tmp_path: Path, seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("katib.local.trial_runner.DRAIN", 0.2)
    name = f"sleep-{seconds}"
    leave = f"os.fork() or (os.setsid(), os.execlp('sleep', {name!r}, '1.5'))"
    result = run_one_trial(
        tmp_path, *python_command(f"import os; print('mse=1', flush=True); {leave}")
    )
    assert (trial_states(result), latest_value(result)) == (["Succeeded"], "1")
    eventually(lambda: not find_processes(name))  # it ends by itself


def run_with_collector(tmp_path: Path, script: str, form: str) -> Result:
    source = {"fileSystemPath": {"path": "/out/metrics.log", "format": form}}
    return run_one_trial(
        tmp_path, *shell_command(script), metricsCollectorSpec={"collector": FILE, "source": source}
    )


@pytest.mark.parametrize(
    ("script", "form", "state"),
    [
        ("echo mse=9; echo mse=4 > /out/metrics.log", "TEXT", "Succeeded"),
        ("""echo '{"mse": "4"}' > /out/metrics.log; echo no json""", "JSON", "Succeeded"),
        ("""printf '{"mse": "4"}\\nno json\\n' > /out/metrics.log""", "JSON", "Failed"),
        ("""echo '{"mse": 4}' > /out/metrics.log""", "JSON", "MetricsUnavailable"),
        ("echo mse=4", "TEXT", "MetricsUnavailable"),
        ("echo mse=4 > /out/metrics.log; exit 1", "TEXT", "Failed"),
        ("mkdir /out/metrics.log", "TEXT", "MetricsUnavailable"),
        ("printf 'mse=4\\n\\377' > /out/metrics.log", "TEXT", "Succeeded"),
    ],
)
def test_a_file_collector_reads_the_file_and_not_the_output(
    tmp_path: Path, script: str, form: str, state: str
) -> None:
    result = run_with_collector(tmp_path, script, form)
    assert trial_states(result) == [state]
    if state == "Succeeded":
        assert latest_value(result) == "4"


def test_bad_json_is_the_reason_that_is_given(tmp_path: Path) -> None:
    assert (
        "not JSON: 'no json'"
        in trial_end(run_with_collector(tmp_path, "echo no json > /out/metrics.log", "JSON"))[1]
    )


def test_metrics_of_a_failed_attempt_are_forgotten(tmp_path: Path) -> None:
    source = {"fileSystemPath": {"path": "/out/metrics.log"}}
    mark = tmp_path / "mark"
    script = f"test -e {mark} && exit 0; touch {mark}; echo mse=1 > /out/metrics.log; exit 1"
    collector = {"collector": FILE, "source": source}
    result = run_one_trial(
        tmp_path / "run",
        *shell_command(script),
        metricsCollectorSpec=collector,
        job={"backoffLimit": 1},
    )
    assert trial_states(result) == ["MetricsUnavailable"]
