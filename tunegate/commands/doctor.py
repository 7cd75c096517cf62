"""`doctor`."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.commands.watch import default_namespace, experiment_name
from tunegate.console import emit, say
from tunegate.errors import ExitCode
from tunegate.settings import Settings
from tunegate.shipped import shipped_experiment

if TYPE_CHECKING:
    from katib.diagnosis.pod_causes import Cause


@click.command()
@options.data
@options.state
@options.store
@options.url
@options.port
@click.option(
    "--experiment",
    help="Explain this Experiment, on the cluster unless --on local: its name or its file.",
)
@click.option(
    "--on",
    type=options.BACKS,
    help="Explain only what became of an Experiment: in a run here, or on a cluster.",
)
@options.namespace
@options.context
@options.json
def doctor(experiment: str | None, on: str | None, *, json: bool, **flags: options.Flags) -> int:
    """Explain why the newest run has no result, what is missing or odd here, and how to fix it.

    With --experiment, explain why one on a cluster does not advance; with --on local, only what
    became of a run on this machine.

    Example: tunegate doctor --experiment boston-forest
    """
    if on == options.Back.KATIB or (experiment is not None and on is None):
        settings = options.settings(**flags)
        return _explain_on_cluster(experiment or str(shipped_experiment()), settings, as_json=json)
    from tunegate.doctor.local_run import explain_newest
    from tunegate.doctor.machine import examine_machine

    name, _ = experiment_name(experiment)
    file = Path(experiment) if experiment and experiment != name else None
    workspace = options.workspace(**flags)
    causes = explain_newest(workspace.settings, name, file, shipped_experiment())
    found = [replace(cause, name=f"run: {cause.name}") for cause in causes]
    if on is None:
        found += examine_machine(workspace)
    return _report_causes(found, as_json=json)


def _report_causes(causes: Sequence["Cause"], *, as_json: bool) -> int:
    for cause in causes:
        label = "ok  " if cause.ok else "FIX "
        fix = f" -> {cause.fix}" if cause.fix else ""
        say(f"{label}  {cause.name}: {cause.evidence}{fix}")
    if as_json:
        emit([asdict(cause) for cause in causes])
    if all(cause.ok for cause in causes):
        return ExitCode.DONE
    return ExitCode.ERROR


def _explain_on_cluster(experiment: str, settings: Settings, *, as_json: bool) -> int:
    from katib.diagnosis.cluster_run import explain_experiment
    from tunegate.search.on_katib import connect_cluster

    kube = connect_cluster(settings)
    from katib.diagnosis.cluster_snapshot import take_snapshot

    name, written = experiment_name(experiment)
    where = settings.namespace or written or default_namespace()
    found = take_snapshot(kube, where, name)
    causes = explain_experiment(found)
    code = _report_causes(causes, as_json=as_json)
    if code != ExitCode.DONE and found["experiment"]:
        say(
            "a template cannot be changed: "
            f"`kubectl delete experiment {name} -n {where}`, then create it again"
        )
    return code
