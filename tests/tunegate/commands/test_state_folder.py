"""A state folder that cannot be one is named, with what to do, before anything starts."""

import os
from pathlib import Path

import pytest
from support.cli import free_port, small_experiment, tunegate


@pytest.mark.parametrize("command", ["tune", "run", "history", "gate"])
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_state_that_is_a_file(tmp_path: Path, command: str, below: str) -> None:
    (tmp_path / "state").write_text("not a folder")
    words: list[object] = [command, "--state", tmp_path / "state" / below]
    if command in {"tune", "run"}:
        words += [small_experiment(tmp_path, trials=2)]
    done = tunegate(*words)
    assert done.returncode == 2
    assert f"{tmp_path / 'state'}: not a folder" in done.stderr
    assert "--state" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path, trials=2)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    done = tunegate("run", experiment.absolute(), "--port", free_port(), cwd=closed)
    assert done.returncode == 2
    assert ".tunegate: Permission denied" in done.stderr
    assert "--state" in done.stderr


def test_a_chain_of_links_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(tmp_path / "gone")
    done = tunegate("history", "--data", "iris", "--state", tmp_path / "state")
    assert done.returncode == 2
    assert "not a folder" in done.stderr
