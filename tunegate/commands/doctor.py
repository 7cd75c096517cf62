"""`doctor`."""

from dataclasses import asdict, replace
from pathlib import Path

import click

from tunegate.commands import options
from tunegate.commands.run import shipped
from tunegate.commands.watch import default_namespace, named
from tunegate.console import emit, say
from tunegate.errors import ExitCode
from tunegate.settings import Settings


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
        return _explain_on_cluster(experiment or str(shipped()), settings, as_json=json)
    from tunegate.doctor.local_run import explain_newest
    from tunegate.doctor.machine import Symptom, examine

    name, _ = named(experiment)
    file = None
    if experiment and experiment != name:
        file = Path(experiment)
    workspace = options.workspace(**flags)
    causes = explain_newest(workspace.settings, name, file, shipped())
    symptoms = [
        Symptom(f"run: {cause.name}", cause.well, cause.seen, cause.mend) for cause in causes
    ]
    if on is None:
        # A healthy part of the machine needs no fix; for a healthy run the fix may be a next step.
        symptoms += [
            replace(each, mend="" if each.well else each.mend) for each in examine(workspace)
        ]
    for symptom in symptoms:
        _say_finding(symptom.name, symptom.found, symptom.mend, well=symptom.well)
    if json:
        emit([asdict(symptom) for symptom in symptoms])
    if all(symptom.well for symptom in symptoms):
        return ExitCode.DONE
    return ExitCode.ERROR


def _say_finding(name: str, found: str, fix: str, *, well: bool) -> None:
    mark = "ok " if well else "FIX"
    command = f" -> {fix}" if fix else ""
    say(f"{mark}   {name}: {found}{command}")


def _explain_on_cluster(experiment: str, settings: Settings, *, as_json: bool) -> int:
    from katib.diagnosis.cluster_run import explain
    from tunegate.search.on_katib import connected

    kube = connected(settings)
    from katib.diagnosis.cluster_snapshot import snapshot

    name, written = named(experiment)
    where = settings.namespace or written or default_namespace()
    found = snapshot(kube, where, name)
    causes = explain(found)
    for cause in causes:
        _say_finding(cause.name, cause.seen, cause.mend, well=cause.well)
    well = all(cause.well for cause in causes)
    if not well and found["experiment"]:
        say(
            "a template cannot be changed: "
            f"`kubectl delete experiment {name} -n {where}`, then create it again"
        )
    if as_json:
        emit([asdict(cause) for cause in causes])
    if well:
        return ExitCode.DONE
    return ExitCode.ERROR
