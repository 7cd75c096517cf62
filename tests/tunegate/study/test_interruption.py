"""A search inside of a running event loop, as in a notebook: it runs, and an interrupt ends it."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
import yaml
from support.cli import Running, tunegate
from support.katib.experiments import eventually, shell_command
from support.katib.runs import runnable_document, write_experiment

import tunegate as tg
from tunegate.search.event_loop import run_coroutine

NOTEBOOK = """
import asyncio, sys
import tunegate as tg

async def cell():
    tg.tune(sys.argv[1], state=sys.argv[2])

asyncio.run(cell())
"""


def test_a_search_runs_inside_of_a_running_event_loop(tmp_path: Path) -> None:
    document = runnable_document(*shell_command("echo mse=${trialParameters.x}"))

    async def cell() -> tg.Study:
        return tg.tune(document, state=tmp_path)

    study = asyncio.run(cell())
    assert study.succeeded
    assert len(study.trials) == 4


def test_what_the_coroutine_raises_reaches_the_caller() -> None:
    async def fail() -> None:
        raise ValueError("inside")

    async def cell() -> None:
        run_coroutine(fail)

    with pytest.raises(ValueError, match="inside"):
        asyncio.run(cell())


def test_an_interrupt_leaves_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f"[ -e {go} ] || sleep 60; echo mse=${{trialParameters.x}}"
    document = runnable_document(*shell_command(script))
    document["metadata"]["annotations"] = {"tunegate.dev/schedule": "batch"}
    file = write_experiment(tmp_path, document)
    state = tmp_path / "state"
    command = Running((file, state), None, command=[sys.executable, "-c", NOTEBOOK])
    try:
        eventually((state / "experiments" / "tiny" / "0001" / "trials.json").exists)
        command.signal(signal.SIGINT)
        assert command.wait() != 0
    finally:
        command.close()
    assert "KeyboardInterrupt" in command.output
    go.touch()
    told = tunegate("doctor", "--on", "local", "--state", state)
    assert f"`tunegate tune --state {state} --resume`" in told.stderr
    done = tunegate("tune", "--resume", "--state", state)
    assert done.returncode == 0, done.stderr
    assert len(tg.Study.newest(state=state).trials) == 4


def test_doctor_names_the_command_that_began_the_run(tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f"[ -e {go} ] || sleep 60; echo mse=${{trialParameters.x}}"
    file = write_experiment(tmp_path, runnable_document(*shell_command(script)))
    command = Running(("run", file, "--state", tmp_path), None)
    try:
        eventually((tmp_path / "experiments" / "tiny" / "0001" / "trials.json").exists)
        command.signal(signal.SIGINT)
        assert command.wait() == 130
    finally:
        command.close()
    told = tunegate("doctor", "--on", "local", "--state", tmp_path)
    assert f"`tunegate run --state {tmp_path} --resume`" in told.stderr


def test_a_study_resumes_what_its_time_ended(tmp_path: Path) -> None:
    document = runnable_document(*shell_command("echo mse=${trialParameters.x}"))
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(document))
    study = tg.tune(file, time=0.001, cpus=1, state=tmp_path)
    left = len(study.trials)
    assert left < 4
    assert len(study.resume().trials) == 4
