"""`tunegate cluster install`: what exists stays, what is missing is named."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from support.cli import tunegate
from support.patience import patience


def test_without_kubectl_it_says_where_to_get_it(tmp_path: Path) -> None:
    done = tunegate("cluster", "install", env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "kubectl is not on the PATH" in done.stderr


def test_an_unknown_context_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "config"
    empty.write_text("apiVersion: v1\nkind: Config\n")
    done = tunegate("cluster", "install", "--context=nowhere", env={"KUBECONFIG": str(empty)})
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.cluster
def test_where_all_is_there_it_waits_until_experiments_are_taken() -> None:
    done = tunegate(
        "cluster",
        "install",
        f"--timeout={patience(120):.0f}",
        env={"KUBECONFIG": os.environ["KUBECONFIG"]},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("there is one already") == 2
    assert "Katib takes Experiments" in done.stderr


# A kubectl that answers from files: a database that does not come up cannot be had from a cluster
# that others use.
KUBECTL = """#!/bin/sh
echo "$*" >>{folder}/asked
case "$*" in
    *"get deployment"*) echo "deployment/found" ;;
    *"wait"*katib-mysql*) echo "timed out waiting for the condition" >&2; exit 1 ;;
    *"get pods"*) cat {folder}/pods ;;
    *"get configmap"*) cat {folder}/config ;;
    *"replace"*) cat >{folder}/config.new; mv {folder}/config.new {folder}/config ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(folder=tmp_path))
    program.chmod(0o755)
    return tmp_path


def install(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    path = f"{folder}:{os.environ['PATH']}"
    return tunegate("cluster", "install", "--timeout=60", *options, env={"PATH": path})


def test_a_database_that_does_not_come_up_is_named_with_its_reason(folder: Path) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "back-off"}
    status = {"name": "mysql", "image": "mysql:8.0.29", "state": {"waiting": waiting}}
    pod = {
        "metadata": {"name": "katib-mysql-5b7d-x", "namespace": "kubeflow"},
        "status": {"phase": "Pending", "containerStatuses": [status]},
    }
    (folder / "pods").write_text(json.dumps({"items": [pod]}))
    done = install(folder)
    assert done.returncode == 2
    assert "katib-mysql does not run" in done.stderr
    assert "ImagePullBackOff mysql:8.0.29" in done.stderr
    assert "Katib takes Experiments" not in done.stderr


def test_our_service_is_registered_where_that_is_wanted_and_taken_back(folder: Path) -> None:
    script = folder / "kubectl"
    script.write_text(script.read_text().replace("*katib-mysql*) echo", "*never*) echo"))
    theirs = [{"algorithmName": "tpe", "image": "hyperopt:1"}]
    before = {"runtime": {"suggestions": theirs, "earlyStoppings": []}}
    config = folder / "config"
    config.write_text(json.dumps({"data": {"katib-config.yaml": yaml.safe_dump(before)}}))

    def registered() -> dict[str, str]:
        text = json.loads(config.read_text())["data"]["katib-config.yaml"]
        runtime = yaml.safe_load(text)["runtime"]
        return {each["algorithmName"]: each["image"] for each in runtime["suggestions"]}

    done = install(folder, "--suggestion")
    assert done.returncode == 0, done.stderr
    assert "tunegate cluster install --no-suggestion" in done.stderr
    assert registered()["tpe"] == registered()["tunegate"] != "hyperopt:1"
    done = install(folder, "--no-suggestion")
    assert done.returncode == 0, done.stderr
    assert registered() == {"tpe": "hyperopt:1"}
