"""Runs in a state folder, as `tunegate tune` makes them, with commands of a test's own."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from katib.experiment import read_experiment
from katib.local.engine import Result
from katib.local.run_folder import new_run
from support.katib.experiments import (
    build_document,
    run_experiment,
    start_process,
    using_parameters,
)

Change = Callable[[dict[str, Any]], None]


def runnable_document(*command: str, **options: object) -> dict[str, Any]:
    """Return an Experiment that also a cluster could run; see `build_document`."""
    return using_parameters(build_document(*command, container={"image": "any:1"}, **options))


def write_experiment(folder: Path, what: dict[str, Any]) -> Path:
    """Write an Experiment into a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(what), encoding="utf-8")
    return path


def finished_run(state: Path, *command: str, **options: object) -> Result:
    """Run an Experiment to its end in a state folder; its file lies there as `tiny.yaml`."""
    what = read_experiment(write_experiment(state, runnable_document(*command, **options)))
    return run_experiment(what, new_run(state / "experiments", what.name))


@contextmanager
def running_engine(
    state: Path, *command: str, **options: object
) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Yield a process that runs an Experiment, and the run's folder; kill it at the block's end."""
    what = runnable_document(*command, **options)
    write_experiment(state, what)
    folder = new_run(state / "experiments", "tiny")
    process = start_process(what, folder)
    try:
        yield process, folder
    finally:
        process.kill()
        process.communicate()


def parsed_events(output: str) -> list[dict[str, Any]]:
    """Return the JSON objects that a command has printed, one a line."""
    return [json.loads(line) for line in output.splitlines()]


def change_json(path: Path, how: Change) -> None:
    """Change a JSON file."""
    content = json.loads(path.read_bytes())
    how(content)
    path.write_text(json.dumps(content), encoding="utf-8")
