"""SIGKILL, or the OOM killer, leaves no child of any command behind."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import Running, free_port, running, small_experiment, tunegate
from support.registry.package_variants import tiny
from support.serving.servers import await_true, put

from registry import ModelStore

PROC = Path("/proc")

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="looks at /proc")


def descendants(pid: int) -> set[int]:
    """Return the living children of a process, their children, and so on."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_alive(pid: int) -> bool:
    try:
        state = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill_with(command: Running, ready: Callable[[set[int]], bool]) -> None:
    """SIGKILL a command once its children are as `ready` wants; none of them stays."""
    pid = command.process.pid
    await_true(lambda: ready(descendants(pid)), "the command's children")
    children = descendants(pid)
    assert children
    os.kill(pid, signal.SIGKILL)
    command.wait()
    await_true(lambda: not any(map(is_alive, children)), "the end of all children")


def command_line(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def test_trials_and_the_runs_server_end_with_the_run(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path, trials=8, trees=300)
    words = ("run", experiment, "--state", tmp_path / "state", "--port", free_port())
    with running(*words) as command:
        command.wait_for("tuning")
        # The server, the fork server and a trial.
        kill_with(command, lambda children: len(children) >= 3)


def test_the_gates_processes_end_with_it(tmp_path: Path) -> None:
    experiment = small_experiment(tmp_path, trials=2, trees=200)
    state = ("--state", tmp_path / "state")
    assert tunegate("tune", experiment, *state).returncode == 0
    with running("gate", *state) as command:
        kill_with(command, lambda children: len(children) >= 2)


def test_workers_end_with_their_server(tmp_path: Path) -> None:
    put(ModelStore(tmp_path / "store"), tiny(tmp_path / "toy"))
    where = ("--model", "toy", "--store", tmp_path / "store", "--port", free_port())
    with running("serve", *where, "--workers", 2) as command:
        command.wait_for("serving promotion 1 of toy")

        def workers_run(children: set[int]) -> bool:
            return sum("spawn_main" in command_line(child) for child in children) == 2

        kill_with(command, workers_run)
