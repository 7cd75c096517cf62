"""Small Experiments for tests, read from YAML as a user's file is, and the engine run on them."""

import asyncio
import itertools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from katib.document import Document, parse_document
from katib.experiment import Experiment, to_experiment
from katib.local.engine import Engine, Result
from katib.local.job_template import PathMap
from support.patience import patience

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "manifests" / "experiment.yaml"
ONE_NUMBER = {"x": ("double", {"min": "0", "max": "1"})}
BATCH = {"tunegate.dev/schedule": "batch"}
PROC = Path("/proc")
T = TypeVar("T")
_COUNT = itertools.count()


def shell_command(script: str) -> tuple[str, ...]:
    """Return the command that runs a script as Katib's templates do.

    In parentheses, since Katib collects the output of the last command alone.
    """
    return ("sh", "-c", f"(\n{script}\n)")


def python_command(script: str) -> tuple[str, ...]:
    """Return the command that runs a Python script."""
    return ("sh", "-c", f"{shlex.quote(sys.executable)} -c {shlex.quote(script)}")


def build_document(
    *command: str,
    parameters: Mapping[str, tuple[str, dict[str, Any]]] = ONE_NUMBER,
    annotations: Mapping[str, str] | None = None,
    container: Mapping[str, Any] | None = None,
    job: Mapping[str, Any] | None = None,
    pod: Mapping[str, Any] | None = None,
    **spec: object,
) -> dict[str, Any]:
    """Return an Experiment that runs `command`; other keywords replace fields of its spec."""
    primary = {
        "name": "main",
        "command": list(command),
        "resources": {"requests": {"cpu": "1"}},
        **(container or {}),
    }
    pod_spec = {"restartPolicy": "Never", "containers": [primary], **(pod or {})}
    trial_spec = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {"backoffLimit": 0, "template": {"spec": pod_spec}, **(job or {})},
    }
    names = [{"name": name, "reference": name} for name in parameters]
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "tiny", "annotations": dict(annotations or {})},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "mse"},
            "algorithm": algorithm_spec("random"),
            "parallelTrialCount": 2,
            "maxTrialCount": 4,
            "parameters": [
                {"name": name, "parameterType": kind, "feasibleSpace": space}
                for name, (kind, space) in parameters.items()
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": names,
                "trialSpec": trial_spec,
            },
            **spec,
        },
    }


def algorithm_spec(name: str, **settings: str) -> dict[str, Any]:
    """Return `spec.algorithm` with a fixed seed."""
    entries = {"random_state": "7", **settings}
    return {
        "algorithmName": name,
        "algorithmSettings": [{"name": n, "value": v} for n, v in entries.items()],
    }


def as_document(document: dict[str, Any]) -> Document:
    """Write a document as YAML and read it."""
    return parse_document(yaml.safe_dump(document, sort_keys=False), source="tiny.yaml")


def make_experiment(*command: str, **options: object) -> Experiment:
    """Build, write, read and check an Experiment; see `build`."""
    return to_experiment(as_document(using_parameters(build_document(*command, **options))))


def using_parameters(document: dict[str, Any]) -> dict[str, Any]:
    """Use all parameters in an environment variable, since Katib wants each to be used."""
    template = document["spec"]["trialTemplate"]
    primary = template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    values = " ".join(
        f"${{trialParameters.{entry['name']}}}" for entry in template["trialParameters"]
    )
    primary["env"] = [*primary.get("env", []), {"name": "PARAMETERS", "value": values}]
    return document


def make_engine(what: Experiment, folder: Path, **options: object) -> Engine:
    """Make an engine whose run folder exists."""
    folder.mkdir(parents=True, exist_ok=True)
    return Engine(
        what, folder, options.pop("paths", PathMap(folder / "volumes")), **{"cpus": 2, **options}
    )


def run_experiment(what: Experiment, folder: Path, **options: object) -> Result:
    """Run an Experiment to its end."""
    return asyncio.run(make_engine(what, folder, **options).run())


def trial_assignments(result: Result) -> list[dict[str, str]]:
    """Return what each trial was run with, in the order of asking."""
    return [
        {p["name"]: p["value"] for p in trial["spec"]["parameterAssignments"]}
        for trial in result.trials
    ]


def comparable_trials(result: Result) -> list[list[Any]]:
    """Return name, spec and observation of each trial: all that the same search has again."""
    return [
        [trial["metadata"]["name"], trial["spec"], trial["status"].get("observation")]
        for trial in result.trials
    ]


def condition_pairs(owner: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (type, status) of an object's conditions."""
    return [(c["type"], c["status"]) for c in owner["status"]["conditions"]]


def trial_states(result: Result) -> list[str]:
    """Return the last condition of each trial, which is its state."""
    return [trial["status"]["conditions"][-1]["type"] for trial in result.trials]


def trial_log(result: Result, index: int = 0) -> str:
    """Return the kept output of a trial."""
    name = result.trials[index]["metadata"]["name"]
    return (result.folder / "trials" / name / "output.log").read_text(errors="replace")


def start_process(
    document: dict[str, Any], folder: Path, **options: object
) -> "subprocess.Popen[str]":
    """Run an engine in a process of its own; it prints its result's end on stdout."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    script = Path(__file__).with_name("engine_process.py")
    command = [sys.executable, str(script), str(path), str(folder), json.dumps(options)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def unique_seconds() -> str:
    """Return seconds, 900 at least, for which no other process of this machine sleeps."""
    return f"{900 + next(_COUNT)}.{os.getpid():07d}"


def find_processes(marker: str) -> list[int]:
    """Return the processes whose command line contains a marker; Linux only."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                content = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in content:
                found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], T], *, seconds: float = 60) -> T:
    """Wait for a condition and return what it gave; fails when it stays false."""
    end = time.monotonic() + patience(seconds)
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)
    return value
