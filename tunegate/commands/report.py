"""`report`, `export-study` and `doctor`."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.commands.run import shipped
from tunegate.commands.watch import default_namespace, experiment_name
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError
from tunegate.settings import Settings

if TYPE_CHECKING:
    from katib.diagnosis.pod_causes import Cause


@click.command()
@click.option(
    "--output",
    "-o",
    type=options.PATH,
    default="report.html",
    show_default=True,
    help="The HTML file to write.",
)
@options.data
@options.include
@options.state
@options.store
def report(output: Path, **flags: options.Flags) -> int:
    """Write the newest run, and the latest verdict where there is one, into one HTML file.

    Example: tunegate report --output report.html
    """
    from tunegate.report.page import write_report

    say(f"written: {write_report(options.workspace(**flags), output)}")
    return ExitCode.DONE


@click.command()
@click.argument(
    "experiment", required=False, help="Its name, or its file; without it that of the newest run."
)
@click.option(
    "--output",
    "-o",
    type=options.PATH,
    default="study.db",
    show_default=True,
    help="The file: SQLite, or Optuna's journal where it ends in .log.",
)
@options.state
@options.json
def export_study(
    experiment: str | None, output: Path, *, json: bool, **flags: options.Flags
) -> int:
    """Write the newest run as an Optuna study, for optuna-dashboard and Optuna's own plots.

    Again, it replaces the file; one that holds anything else is left alone.

    Example: tunegate export-study --output study.db && optuna-dashboard sqlite:///study.db
    """
    workspace = options.workspace(**flags)
    name, _ = experiment_name(experiment)
    try:
        from katib.search.optuna_study import dashboard_address
        from tunegate.search.optuna_export import export_newest_run
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed", hint="pip install 'tunegate[search]'"
        ) from error
    study = export_newest_run(workspace, name or None, output)
    say(
        f"written: {output}, study {study.name}, {len(study.trials)} trials; `optuna-dashboard {dashboard_address(output)}`"
    )
    if json:
        emit(
            {"study": study.name, "trials": len(study.trials), "storage": dashboard_address(output)}
        )
    return ExitCode.DONE


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
    """Say why the newest run has no result, or what is missing or odd here, and the command that fixes it.

    With --experiment, why one on a cluster does not go on; with --on local, only what became of a run on this machine.

    Example: tunegate doctor --experiment boston-forest
    """
    if on == options.Back.KATIB or (experiment is not None and on is None):
        return _explain(experiment or str(shipped()), options.settings(**flags), as_json=json)
    from tunegate.doctor.local_run import explain_newest
    from tunegate.doctor.machine import examine_machine

    name, _ = experiment_name(experiment)
    if experiment and experiment != name:
        file = Path(experiment)
    else:
        file = None
    workspace = options.workspace(**flags)
    causes = explain_newest(workspace.settings, name, file, shipped())
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


def _explain(experiment: str, settings: Settings, *, as_json: bool) -> int:
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
            f"a template cannot be changed: `kubectl delete experiment {name} -n {where}`, then create it again"
        )
    return code
