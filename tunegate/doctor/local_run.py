"""Explain the newest run from its folder and the Experiment's file as it is now."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from katib.cluster.spec_diff import first_difference
from katib.diagnosis.local_run import RunContext, explain_run
from katib.diagnosis.pod_causes import Cause
from katib.errors import InvalidExperiment
from katib.experiment import read_experiment
from katib.local.run_folder import CLUSTER, LocalRun, newest_run, read_run
from katib.objects import state
from tunegate.doctor.machine import free_bytes
from tunegate.run_data import remembered_data
from tunegate.settings import Settings


def explain_newest(
    settings: Settings, experiment: str, file: Path | None, shipped: Path
) -> list[Cause]:
    """Return what is wrong with the newest run, or that nothing is; the first names its folder.

    Args:
        settings: they name the state folder.
        experiment: whose run; any if empty.
        file: the Experiment's file, if the user named it.
        shipped: the Experiment that `tunegate tune` runs by itself.
    """
    root = settings.state / "experiments"
    folder = newest_run(root, experiment)
    if folder is None:
        of = f" of {experiment}" if experiment else ""
        fix = f"`{_tune_command(settings, file)}`"
        return [Cause("none yet", f"no run{of} below {root}", fix, ok=True)]
    run = read_run(folder)
    if not run.ran_here:
        return [_kept_cause(run)]
    source = file
    written = file  # in the command that is suggested, which runs the shipped file without one
    if file is None and _experiment_name(shipped) == folder.parent.name:
        source = shipped
    elif file is None:
        written = Path("FILE")
    known = remembered_data(folder, settings)
    command = known.command if known and known.command else "tune"
    # The newest run of all holds its Experiment: its file need not be named.
    named = file if folder == newest_run(root) else written
    context = RunContext(
        now=datetime.now(UTC),
        free=free_bytes(folder),
        changed=_what_changed(run, source) if source else "",
        tune=_tune_command(settings, written, command=command),
        again=_tune_command(settings, named, command=command),
    )
    first, *rest = explain_run(run, context)
    return [replace(first, evidence=f"{folder}: {first.evidence}"), *rest]


def _kept_cause(run: LocalRun) -> Cause:
    """Describe a run whose objects alone are here, from a cluster or out of a bundle."""
    fix = ""
    origin = "a bundle"
    if (run.folder / CLUSTER).exists():
        origin = "a cluster"
        metadata = run.experiment["metadata"]
        words = ["--experiment", metadata["name"], "--namespace", metadata["namespace"]]
        fix = f"`{shlex.join(['tunegate', 'doctor', *words])}`"
    evidence = f"{run.folder}: {state(run.experiment)}, kept from {origin}"
    return Cause("did not run here", evidence, fix, ok=True)


def _tune_command(settings: Settings, file: Path | None, *, command: str = "tune") -> str:
    words = ["tunegate", command]
    if file:
        words.append(str(file))
    if settings.state != Settings().state:
        words += ["--state", str(settings.state)]
    return shlex.join(words)


def _experiment_name(path: Path) -> str:
    try:
        return read_experiment(path).name
    except InvalidExperiment:
        return ""


def _what_changed(run: LocalRun, source: Path) -> str:
    """Return how the file differs from what the run was started with; empty if it does not."""
    try:
        now = read_experiment(source)
    except InvalidExperiment:
        return f"{source} is no valid Experiment any more (`tunegate lint {source}`)"
    if now.digest == run.meta.get("digest", now.digest):
        return ""
    text = f"{source} has changed"
    if run.experiment and (found := first_difference(now.spec, run.experiment.get("spec", {}))):
        text += f": {found}"
    return text
