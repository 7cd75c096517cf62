"""`report`, `export-study` and `doctor`; `watch` stands beside them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.commands.searching import shipped
from tunegate.commands.watching import default_namespace, named, watch
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError
from tunegate.settings import Settings

Subject = Annotated[
    str | None, typer.Option(help="Explain this Experiment, on the cluster unless --on local: its name or its file.")
]
Where = Annotated[
    options.Back | None, typer.Option(help="Explain only what became of an Experiment: in a run here, or on a cluster.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(watch)
    app.command()(report)
    app.command()(export_study)
    app.command()(doctor)


def report(
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
    data: options.Data = None,
    include: options.Include = None,
    state: options.State = None,
    store: options.Store = None,
) -> int:
    """Write the newest run, and the latest verdict where there is one, into one HTML file.

    Example: tunegate report --output report.html
    """
    from tunegate.report import write_report

    say(f"written: {write_report(options.workspace(data=data, include=include, state=state, store=store), output)}")
    return ExitCode.DONE


def export_study(
    experiment: Annotated[
        str | None, typer.Argument(help="An Experiment's name, or its file.", show_default="that of the newest run")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file: SQLite, or Optuna's journal where it ends in .log.")
    ] = Path("study.db"),
    state: options.State = None,
    json: options.Json = False,
) -> int:
    """Write the newest run as an Optuna study, for optuna-dashboard and Optuna's own plots.

    Again, it replaces the file; one that holds anything else is left alone.

    Example: tunegate export-study --output study.db && optuna-dashboard sqlite:///study.db
    """
    workspace = options.workspace(state=state)
    name, _ = named(experiment)
    try:
        from katib.study import address
        from tunegate.studying import export_study as export
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed", hint="pip install 'tunegate[search]'") from error
    study = export(workspace, name or None, output)
    say(f"written: {output}, study {study.name}, {len(study.trials)} trials; `optuna-dashboard {address(output)}`")
    if json:
        emit({"study": study.name, "trials": len(study.trials), "storage": address(output)})
    return ExitCode.DONE


def doctor(
    data: options.Data = None,
    state: options.State = None,
    store: options.Store = None,
    url: options.Url = None,
    port: options.Port = None,
    experiment: Subject = None,
    on: Where = None,
    namespace: options.Namespace = None,
    context: options.Context = None,
    json: options.Json = False,
) -> int:
    """Say why the newest run has no result, or what is missing or odd here, and the command that mends it.

    With --experiment, why one on a cluster does not go on; with --on local, only what became of a run on this machine.

    Example: tunegate doctor --experiment boston-forest
    """
    if on is options.Back.KATIB or (experiment is not None and on is None):
        settings = options.settings(namespace=namespace, context=context)
        return _explain(experiment or str(shipped()), settings, as_json=json)
    from tunegate.doctor import Symptom, examine
    from tunegate.doctor_run import explain_newest

    name, _ = named(experiment)
    file = Path(experiment) if experiment and experiment != name else None
    workspace = options.workspace(data=data, state=state, store=store, url=url, port=port)
    causes = explain_newest(workspace.settings, name, file, shipped())
    symptoms = [Symptom(f"run: {cause.name}", cause.well, cause.seen, cause.mend) for cause in causes]
    if on is None:
        # What is well needs no mending here; of a run it may be what to do next.
        symptoms += [replace(each, mend="" if each.well else each.mend) for each in examine(workspace)]
    for symptom in symptoms:
        _tell(symptom.name, symptom.found, symptom.mend, well=symptom.well)
    if json:
        emit([asdict(symptom) for symptom in symptoms])
    return ExitCode.DONE if all(symptom.well for symptom in symptoms) else ExitCode.ERROR


def _tell(name: str, found: str, mend: str, *, well: bool) -> None:
    say(f"{'ok  ' if well else 'MEND'}  {name}: {found}{f' -> {mend}' if mend else ''}")


def _explain(experiment: str, settings: Settings, *, as_json: bool) -> int:
    from katib.diagnosis import explain
    from tunegate.following import connected

    kube = connected(settings)
    from katib.snapshot import snapshot

    name, written = named(experiment)
    where = settings.namespace or written or default_namespace()
    found = snapshot(kube, where, name)
    causes = explain(found)
    for cause in causes:
        _tell(cause.name, cause.seen, cause.mend, well=cause.well)
    well = all(cause.well for cause in causes)
    if not well and found["experiment"]:
        say(f"a template cannot be changed: `kubectl delete experiment {name} -n {where}`, then create it anew")
    if as_json:
        emit([asdict(cause) for cause in causes])
    return ExitCode.DONE if well else ExitCode.ERROR
