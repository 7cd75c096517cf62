"""A trial's process group ends with the trial, with the engine, and with the trials' parent."""

import asyncio
import signal
from pathlib import Path

import pytest
from support.katib.experiments import PROC, eventually, find_processes, shell_command
from support.katib.launchers import linux, use_launcher
from support.katib.launchers import run_command as run

from katib.errors import EngineError
from katib.local.launcher import Child, Exit, Launcher

pytestmark = linux


@pytest.fixture
def slow_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that takes a while to import."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__main__.py").write_text("import time; time.sleep(0.3); main = print")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "slow"


def test_what_a_trial_leaves_in_the_background_goes_with_it(seconds: str) -> None:
    lines, end = run(shell_command(f"sleep {seconds} & sleep {seconds} & echo started"))
    assert (lines, end.code) == (["started"], 0)
    eventually(lambda: not find_processes(seconds))


def test_ending_a_trial_ends_its_whole_group_at_once(seconds: str) -> None:
    async def go(launcher: Launcher) -> Exit:
        child = await launcher.start(shell_command(f"sleep {seconds} & sleep {seconds}"), {}, None)
        await asyncio.to_thread(eventually, lambda: len(find_processes(f"sleep\x00{seconds}")) == 2)
        await child.end(grace=20)
        return await child.ended

    assert use_launcher(go).code == -signal.SIGTERM
    eventually(lambda: not find_processes(seconds))


def test_a_trial_that_does_not_listen_is_killed_after_its_grace(seconds: str) -> None:
    async def go(launcher: Launcher) -> Exit:
        child = await launcher.start(
            ("sh", "-c", f"trap '' TERM; echo ready; while :; do sleep {seconds}; done"), {}, None
        )
        await anext(child.lines())
        await child.end(grace=0.1)
        return await child.ended

    assert use_launcher(go).code == -signal.SIGKILL
    eventually(lambda: not find_processes(seconds))


def test_leaving_the_launcher_leaves_no_process(seconds: str) -> None:
    async def go(launcher: Launcher) -> int:
        await launcher.start(["sleep", seconds], {}, None)
        return launcher._process.pid if launcher._process else 0

    fork_server = use_launcher(go)
    eventually(lambda: not find_processes(seconds))
    assert not (PROC / str(fork_server)).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_what_a_terminal_sends_to_all_does_not_reach_the_trials(number: signal.Signals) -> None:
    async def go(launcher: Launcher) -> tuple[list[str], int]:
        first = await launcher.start(
            shell_command("echo ready; sleep 0.1; echo still here"), {}, None
        )
        assert launcher._process
        launcher._process.send_signal(number)
        second = await launcher.start(["echo", "me too"], {}, None)
        return [line for child in (first, second) async for line in child.lines()], (
            await first.ended
        ).code

    assert use_launcher(go) == (["ready", "still here", "me too"], 0)


def test_when_the_trials_parent_dies_they_die_and_the_error_says_so(seconds: str) -> None:
    async def go(launcher: Launcher) -> Child:
        child = await launcher.start(["sleep", seconds], {}, None)
        assert launcher._process
        launcher._process.kill()
        with pytest.raises(EngineError, match="parent process died"):
            await child.ended
        with pytest.raises(EngineError, match="parent process"):
            await launcher.start(["true"], {}, None)
        return child

    use_launcher(go)
    eventually(lambda: not find_processes(seconds))


def test_a_trial_whose_start_was_given_up_is_killed_when_it_starts_all_the_same(
    seconds: str, slow_import: str
) -> None:
    async def go(launcher: Launcher) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(launcher.start(["sleep", seconds], {}, None), 0.05)
        assert (await launcher._children[0].ended).code == -signal.SIGKILL

    use_launcher(go, preload=[slow_import])


def test_when_the_trials_parent_dies_while_one_starts_the_others_die_too(
    seconds: str, slow_import: str
) -> None:
    async def go(launcher: Launcher) -> None:
        await launcher.start(["sleep", seconds], {}, None)
        assert launcher._process
        launcher._process.send_signal(signal.SIGSTOP)
        starting = asyncio.create_task(launcher.start(["true"], {}, None))
        await asyncio.to_thread(eventually, lambda: len(launcher._children) == 2)
        launcher._process.kill()
        with pytest.raises(EngineError, match="parent process"):
            await starting

    use_launcher(go, preload=[slow_import])
    eventually(lambda: not find_processes(seconds))


def test_many_trials_start_at_once_while_modules_are_still_imported(slow_import: str) -> None:
    async def go(launcher: Launcher) -> list[int]:
        children = await asyncio.gather(*(launcher.start(["true"], {}, None) for _ in range(300)))
        return [(await child.ended).code for child in children]

    assert use_launcher(go, preload=[slow_import]) == [0] * 300
