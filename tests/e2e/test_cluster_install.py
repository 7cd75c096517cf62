"""`tunegate cluster install`: what exists stays, what is missing is named."""

import os
from pathlib import Path

import pytest
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
