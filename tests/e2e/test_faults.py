"""Users' mistakes and machines' failures: nothing is lost, the message says what to do."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import (
    descendants_of_session,
    environment,
    free_port,
    running,
    small_experiment,
    tunegate,
)
from support.registry.volumes import read_only, tiny_volume
from support.serving.servers import await_true


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_search_stops_everything_and_resume_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    experiment = small_experiment(tmp_path, trials=6, trees=40)
    with running("tune", experiment, "--state", tmp_path / "state") as command:
        command.wait_for("best mse")
        command.signal(number)
        assert command.wait() == 130
        assert "--resume" in command.output
        assert "Traceback" not in command.output
        assert descendants_of_session(command.process.pid) == []
    journal = tmp_path / "state" / "experiments" / "boston-forest" / "0001" / "trials.jsonl"
    ended = _finished(journal)
    assert 1 <= len(ended) < 6
    done = tunegate("tune", experiment, "--state", tmp_path / "state", "--resume", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["trialsSucceeded"] == 6
    assert {name: _finished(journal)[name] for name in ended} == ended


def test_a_killed_run_leaves_no_server_and_no_trial(tmp_path: Path) -> None:
    port = free_port()
    experiment = small_experiment(tmp_path, trials=6, trees=40)
    with running("run", experiment, "--state", tmp_path / "state", "--port", port) as command:
        command.wait_for("best mse")
        command.signal(signal.SIGKILL)
        command.wait()
    _await_closed(port)
    done = tunegate("tune", experiment, "--state", tmp_path / "state", "--resume")
    assert done.returncode == 0, done.stderr


def test_a_port_in_use_is_said_before_anything_is_tuned(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        serve = tunegate("serve", "--state", tmp_path, "--port", port)
    assert serve.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in serve.stderr
    assert "--port" in serve.stderr


def test_an_invalid_experiment_is_refused_with_line_and_fix(tmp_path: Path) -> None:
    path = small_experiment(tmp_path)
    path.write_text(path.read_text().replace("parallelTrialCount: 2", "parallelTrialCount: 99"))
    for command in (("lint", path), ("tune", path, "--state", tmp_path / "state")):
        done = tunegate(*command)
        assert done.returncode == 2
        assert "K132 spec.parallelTrialCount" in done.stderr
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_trials_that_fail_show_their_last_lines(tmp_path: Path) -> None:
    path = small_experiment(tmp_path)
    path.write_text(path.read_text().replace("--n-estimators=10", "--n-estimators=none"))
    done = tunegate("run", path, "--state", tmp_path / "state", "--port", free_port(), "--no-serve")
    assert done.returncode == 12  # no candidate: another try would end the same way
    assert "n-estimators" in done.stderr
    assert "max failed count has reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tune", "no-such-file.yaml"), "no-such-file.yaml: No such file"),
        (("gate", "--state", "empty"), "run `tunegate tune` first"),
        (("gate", "--data", "bostn"), "data set 'bostn' is not known"),
        (("rollback", "--state", "empty"), "nothing of boston is in production"),
        (("approve", "--state", "empty"), "run `tunegate gate` first"),
        (("smoke", "--state", "empty"), "nothing of boston is in production"),
        (("serve", "--port", "99999"), "Invalid value for '--port'"),
        (("tune", "--mount", "nonsense"), "write NAME=VALUE"),
        (("gate", "--mode", "lenient", "--state", "empty"), "gate.mode"),
        (("report", "--state", "empty"), "run `tunegate tune` first"),
        (("promote", "--on", "katib"), "needs --experiment"),
        (("promote", "--on", "katib", "--experiment", "forest"), "name it with --namespace"),
        (
            ("promote", "--on", "katib", "--experiment", "forest", "--package", "."),
            "name two candidates",
        ),
        (("promote", "--wait", "5", "--state", "empty"), "--wait is for --on katib"),
        (("nonsense",), "No such command"),
    ],
)
def test_wrong_calls_say_what_is_wrong(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = tunegate(*words, cwd=tmp_path)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_full_disk_is_said_and_the_run_goes_on_elsewhere(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path, trees=100)
    with tiny_volume(tmp_path / "tiny", kilobytes=256) as volume:
        done = tunegate("tune", experiment, "--state", tmp_path / "state", "--store", volume)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_read_only_state_is_said(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path)
    (tmp_path / "state").mkdir()
    with read_only(tmp_path / "state"):
        done = tunegate("tune", experiment, "--state", tmp_path / "state")
    assert done.returncode == 1
    assert "--state" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_come_from_flags_then_environment_then_file(tmp_path: Path) -> None:
    (tmp_path / "tunegate.toml").write_text(
        'data = "iris"\nstate = "from-file"\n[gate]\nmode = "strict-lower"\n'
    )
    code = (
        "from tunegate.commands.options import settings; "
        "s = settings(data='wine'); print(s.data, s.state, s.gate.mode, s.gate.p_recipe)"
    )
    env = {"TUNEGATE_STATE": "from-env", "TUNEGATE_GATE__P_RECIPE": "0.8"}
    assert _python(code, tmp_path, env) == "wine from-env strict-lower 0.8"
    (tmp_path / "tunegate.toml").write_text("nonsense = 1\n")
    wrong = tunegate("history", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr


def _python(code: str, cwd: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=cwd, env=environment(env), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _finished(journal: Path) -> dict[str, dict[str, object]]:
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    return {record["name"]: record for record in records if record["finished"]}


def _await_closed(port: int) -> None:
    """Wait until nobody accepts on the port: the server has followed its run."""
    await_true(lambda: not _accepts(port), "the server to end with its run")


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
