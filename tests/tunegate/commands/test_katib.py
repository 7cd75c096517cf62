"""`tunegate katib`: one state for its clients and the command line, whatever kills it."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.cli import Running, free_port, running, tunegate
from support.katib.runs import runnable_document
from support.patience import patience

PATH = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"


def slow_document(gate: Path) -> dict[str, Any]:
    """Return an Experiment whose trials wait for a file."""
    wait = f"while [ $(ls {gate} | wc -l) -lt 1 ]; do sleep 0.05; done"
    script = f"{wait}; echo mse=${{trialParameters.x}}"
    return runnable_document(
        "sh", "-c", script, parallelTrialCount=1, maxTrialCount=2, resumePolicy="LongRunning"
    )


@contextmanager
def katib(state: Path, port: int) -> Iterator[Running]:
    with running("katib", "--port", port, "--state", state) as command:
        command.wait_for("Katib's API at")
        until(lambda: is_up(port))
        yield command


def is_up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + patience(120)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_endpoint_loses_nothing(tmp_path: Path) -> None:
    port = free_port()
    state = tmp_path / "state"
    gate = tmp_path / "gate"
    gate.mkdir()
    url = f"http://127.0.0.1:{port}{PATH}"

    def counts() -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{url}/tiny").json()["status"]
        return found

    with katib(state, port) as command:
        assert httpx.post(url, json=slow_document(gate)).status_code == 201
        until(lambda: counts().get("trialsRunning"))
        command.signal(signal.SIGKILL)
        command.wait()
    with katib(state, port) as command:
        (gate / "open").touch()
        until(lambda: counts()["conditions"][-1]["type"] == "Succeeded")
        kept = json.loads((state / "experiments" / "tiny" / "0001" / "experiment.json").read_text())
        assert kept["status"] == counts()
        assert counts()["trialsSucceeded"] == 2
        more = {"spec": {"maxTrialCount": 3}}
        headers = {"Content-Type": "application/merge-patch+json"}
        assert httpx.patch(f"{url}/tiny", json=more, headers=headers).status_code == 200
        until(lambda: counts().get("trialsSucceeded") == 3)
        shown = tunegate("watch", "tiny", "--state", state, "--json")
        assert json.loads(shown.stdout.splitlines()[-1])["state"] == "Succeeded"
        assert httpx.delete(f"{url}/tiny").status_code == 200
        command.signal(signal.SIGTERM)
        command.wait()
    assert list((state / "experiments").iterdir()) == []


def test_other_machines_need_a_token(tmp_path: Path) -> None:
    done = tunegate("katib", "--host", "0.0.0.0", "--state", tmp_path)  # noqa: S104 - refused
    assert done.returncode == 2
    assert "--token" in done.stderr
    empty = tmp_path / "token"
    empty.touch()
    assert tunegate("katib", "--token", empty, "--state", tmp_path).returncode == 2


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on the PATH")
def test_kubectl_creates_waits_reads_logs_and_deletes(tmp_path: Path) -> None:
    port = free_port()
    document = tmp_path / "tiny.yaml"
    tiny = runnable_document("sh", "-c", "echo mse=${trialParameters.x}", maxTrialCount=2)
    document.write_text(yaml.safe_dump(tiny))

    def kubectl(*words: object) -> str:
        command = ["kubectl", f"--server=http://127.0.0.1:{port}", f"--cache-dir={tmp_path}/cache"]
        done = subprocess.run(
            [*command, "--kubeconfig=/dev/null", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=patience(120),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with katib(tmp_path / "state", port):
        assert kubectl("create", "-f", document) == "experiment.kubeflow.org/tiny created\n"
        kubectl("wait", "--for=condition=Succeeded", "experiment/tiny", "--timeout=110s")
        rows = [line.split()[:3] for line in kubectl("get", "trials,experiments").splitlines()]
        assert ["experiment.kubeflow.org/tiny", "Succeeded", "True"] in rows
        assert len(rows) == 6
        logs = kubectl("logs", "-l", "katib.kubeflow.org/experiment=tiny")
        assert logs.count("mse=") == 2
        assert "Best Trial Name" in kubectl("describe", "experiment", "tiny")
        assert "deleted" in kubectl("delete", "experiment", "tiny")
        assert kubectl("get", "experiments") == ""
