"""Explain a run on this machine: what its folder shows, beside the Experiment's file as it is now."""

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

from katib.cluster.spec_diff import difference
from katib.diagnosis.local_run import Around, explain_run
from katib.diagnosis.pod_causes import Cause
from katib.errors import InvalidExperiment
from katib.experiment import read_experiment
from katib.local.run_folder import LocalRun, newest_run, read_run
from tunegate.settings import Settings


def explain_newest(
    settings: Settings, experiment: str, file: Path | None, shipped: Path
) -> list[Cause]:
    """Return what is wrong with the newest run, or that nothing is; the first cause names its folder.

    Args:
        settings: they name the state folder.
        experiment: whose run; any where empty.
        file: the Experiment's file, where it was named.
        shipped: the Experiment that `tunegate tune` runs by itself.
    """
    root = settings.state / "experiments"
    folder = newest_run(root, experiment)
    if folder is None:
        of = f" of {experiment}" if experiment else ""
        return [
            Cause(
                "none yet", f"no run{of} below {root}", f"`{_command(settings, file)}`", well=True
            )
        ]
    run = read_run(folder)
    name = folder.parent.name
    source = file or (shipped if _name(shipped) == name else None)
    around = Around(
        now=datetime.now(UTC),
        free=_free(folder),
        changed=_changed(run, source) if source else "",
        tune=_command(settings, file or (None if source else Path("FILE"))),
    )
    first, *rest = explain_run(run, around)
    return [Cause(first.name, f"{folder}: {first.seen}", first.mend, first.well), *rest]


def _command(settings: Settings, file: Path | None) -> str:
    words = ["tunegate", "tune", *([str(file)] if file else [])]
    if settings.state != Settings().state:
        words += ["--state", str(settings.state)]
    return shlex.join(words)


def _name(path: Path) -> str:
    try:
        return read_experiment(path).name
    except InvalidExperiment:
        return ""


def _changed(run: LocalRun, source: Path) -> str:
    """Say how the file differs from what the run was started with; empty where it does not."""
    try:
        now = read_experiment(source)
    except InvalidExperiment:
        return f"{source} is no valid Experiment any more (`tunegate lint {source}`)"
    if now.digest == run.meta.get("digest", now.digest):
        return ""
    if run.experiment:
        found = difference(now.spec, run.experiment.get("spec", {}))
    else:
        found = ""
    return f"{source} has changed" + (f": {found}" if found else "")


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
