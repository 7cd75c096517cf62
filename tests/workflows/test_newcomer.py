"""`scripts/newcomer` finds what is missing; the build for Google Cloud builds every target."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from support.cli import ROOT
from support.scripts import run

TOOLS = {
    "docker": "Docker version 28.2.2, build e6534b4",
    "kubectl": "Client Version: v1.34.0",
    "kind": "kind v0.33.0 go1.26.8 linux/amd64",
    "python3": "Python 3.13.1",
}
USED = ("sh", "dirname", "grep", "head", "sort", "awk", "df")


def machine(folder: Path, tools: dict[str, str]) -> str:
    """Make a PATH with these tools and the shell's own programs, and nothing else."""
    programs = folder / "bin"
    programs.mkdir()
    for name in USED:
        (programs / name).symlink_to(shutil.which(name) or name)
    for name, version in tools.items():
        (programs / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (programs / name).chmod(0o755)
    return str(programs)


def test_a_machine_with_everything_may_go_ahead(tmp_path: Path) -> None:
    done = run("scripts/newcomer", "kind", PATH=machine(tmp_path, TOOLS))
    assert "missing  kind" not in done.stdout
    assert "ok       kind 0.33.0" in done.stdout
    assert "ok       docker 28.2.2" in done.stdout


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ({name: text for name, text in TOOLS.items() if name != "kind"}, "missing  kind\n"),
        (TOOLS | {"kubectl": "Client Version: v1.9.0"}, "kubectl 1.9.0 is older than 1.31"),
        (TOOLS | {"kubectl": "?"}, "kubectl: its version cannot be read"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(
    tools: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = run("scripts/newcomer", "kind", PATH=machine(tmp_path, tools))
    assert done.returncode == 1
    assert said in done.stdout
    assert "run scripts/newcomer kind again" in done.stdout


def test_an_unknown_cluster_is_an_error() -> None:
    assert run("scripts/newcomer", "k3s").returncode == 2


def test_cloud_build_builds_and_pushes_every_target() -> None:
    document = yaml.safe_load((ROOT / "manifests" / "cloud-build.yaml").read_text())
    assert document.keys() == {"substitutions", "options", "timeout", "steps", "images"}
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    targets = [f"--target={step['id']}" for step in document["steps"]]
    assert [
        word for step in document["steps"] for word in step["args"] if word in targets
    ] == targets
    assert {step["id"] for step in document["steps"]} <= set(stages)
    tags = [step["args"][2].removeprefix("--tag=") for step in document["steps"]]
    assert tags == document["images"]
    known = {*document["substitutions"], "PROJECT_ID"}
    assert {name for tag in tags for name in re.findall(r"\$\{(\w+)\}", tag)} <= known
