"""Endpoints in a thread of the test, over runs that no engine works on."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from katib.endpoint.app import create_endpoint
from katib.endpoint.changes import Changes
from katib.endpoint.engines import Engines
from katib.endpoint.object_store import ObjectStore
from katib.errors import InvalidExperiment
from katib.experiment import Experiment
from katib.local.job_template import render_job
from katib.local.katib_status import experiment_document, trial_document
from katib.local.run_folder import new_run, write_objects
from katib.local.run_start import begin_run
from katib.trial import Trial

EXPERIMENTS = "/apis/kubeflow.org/v1beta1/namespaces/default/experiments"
TRIALS = EXPERIMENTS.replace("experiments", "trials")
STARTED = "2026-01-02T03:04:05Z"


@dataclass(frozen=True)
class StillRuns:
    """Runs whose engines are a command that ends at once.

    Attributes:
        root: the folder of runs.
        engine: that command.
        problem: why no run can begin; empty if it can.
    """

    root: Path
    engine: str = "true"
    problem: str = ""

    def begin(self, experiment: Experiment) -> Path:
        if self.problem:
            raise InvalidExperiment(self.problem, hint="do something else")
        return begun_run(self.root, experiment)

    def is_own(self, folder: Path) -> bool:
        return True

    def command(self, folder: Path) -> Sequence[str]:
        return [self.engine]


def begun_run(root: Path, experiment: Experiment, *trials: Trial, end: str = "") -> Path:
    """Write the folder of a run with these trials."""
    folder = new_run(root, experiment.name)
    begin_run(folder, experiment, started=STARTED, first={}, earlier=(), notes={})
    write_run(folder, experiment, *trials, end=end)
    return folder


def write_run(folder: Path, experiment: Experiment, *trials: Trial, end: str = "") -> None:
    """Write the objects of a run as an engine does."""
    document = experiment_document(experiment, trials, started=STARTED, ended=STARTED, end=end)
    items = [
        trial_document(experiment, each, render_job(experiment, each.assignments, each.name))
        for each in trials
    ]
    write_objects(folder, document, items)


def ended_trial(index: int, value: str = "1.5", state: str = "Succeeded") -> Trial:
    """Return a trial of `tiny` that has ended."""
    return Trial(
        index=index,
        name=f"tiny-{index}",
        assignments={"x": "0.25"},
        state=state,
        created=STARTED,
        started=STARTED,
        finished=STARTED,
        reason=f"Trial{state}",
        message="it has ended",
        observation=({"name": "mse", "latest": value, "min": value, "max": value},),
    )


@contextmanager
def endpoint(runs: StillRuns, token: str = "") -> Iterator[httpx.Client]:
    """Yield a client of an endpoint that a thread serves."""
    engines = Engines(runs.command)
    changes = Changes(ObjectStore(runs.root, engines.failure), runs, engines)
    app = create_endpoint(changes, token)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


def events(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return the kinds and objects of a watch."""
    parsed = [json.loads(line) for line in content.splitlines()]
    return [(event["type"], event["object"]) for event in parsed]
