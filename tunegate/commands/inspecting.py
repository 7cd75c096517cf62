"""`report` and `doctor`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.commands.searching import shipped
from tunegate.console import emit, say
from tunegate.errors import ExitCode
from tunegate.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(report)
    app.command()(doctor)


def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    data: options.Data = None,
    include: options.Include = None,
    state: options.State = None,
    store: options.Store = None,
) -> int:
    """Write the newest run and the latest verdict into one HTML file.

    Example: tunegate report --output report.html
    """
    from tunegate.report import write_report

    say(f"written: {write_report(options.workspace(data=data, include=include, state=state, store=store), output)}")
    return ExitCode.DONE


def doctor(
    data: options.Data = None,
    state: options.State = None,
    store: options.Store = None,
    url: options.Url = None,
    port: options.Port = None,
    experiment: Annotated[str | None, typer.Option(help="Explain this Experiment on the cluster instead.")] = None,
    namespace: options.Namespace = None,
    context: options.Context = None,
    json: options.Json = False,
) -> int:
    """Say what is missing or odd, and the command that mends it; or why an Experiment on a cluster does not go on.

    Example: tunegate doctor --experiment boston-forest
    """
    if experiment is not None:
        return _explain(experiment, options.settings(namespace=namespace, context=context), as_json=json)
    from tunegate.doctor import examine

    symptoms = examine(options.workspace(data=data, state=state, store=store, url=url, port=port))
    for symptom in symptoms:
        mend = "" if symptom.well else f" -> {symptom.mend}"
        say(f"{'ok  ' if symptom.well else 'MEND'}  {symptom.name}: {symptom.found}{mend}")
    if json:
        emit([asdict(symptom) for symptom in symptoms])
    return ExitCode.DONE if all(symptom.well for symptom in symptoms) else ExitCode.ERROR


def _explain(name: str, settings: Settings, *, as_json: bool) -> int:
    from katib.diagnosis import explain
    from katib.document import read_document
    from tunegate.following import connected

    kube = connected(settings)
    from katib.snapshot import snapshot

    where = settings.namespace or read_document(shipped()).get("metadata", "namespace", default="default")
    found = snapshot(kube, where, name)
    causes = explain(found)
    for cause in causes:
        mend = f" -> {cause.mend}" if cause.mend else ""
        say(f"{'ok  ' if cause.well else 'MEND'}  {cause.name}: {cause.seen}{mend}")
    well = all(cause.well for cause in causes)
    if not well and found["experiment"]:
        say(f"a template cannot be changed: `kubectl delete experiment {name} -n {where}`, then create it anew")
    if as_json:
        emit([asdict(cause) for cause in causes])
    return ExitCode.DONE if well else ExitCode.ERROR
