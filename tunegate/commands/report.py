"""The commands `report` and `export-study`."""

from pathlib import Path

import click

from tunegate.commands import options
from tunegate.commands.watch import experiment_name
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError


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


@click.command("export-study")
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
def export_study_command(
    experiment: str | None, output: Path, *, json: bool, **flags: options.Flags
) -> int:
    """Write the newest run as an Optuna study, for optuna-dashboard and Optuna's own plots.

    If the file holds a study already, it is replaced; if it holds anything else, it is left alone.

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
    storage = dashboard_address(output)
    trials = len(study.trials)
    say(f"written: {output}, study {study.name}, {trials} trials; `optuna-dashboard {storage}`")
    if json:
        emit({"study": study.name, "trials": trials, "storage": storage})
    return ExitCode.DONE
