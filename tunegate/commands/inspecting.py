"""`report` and `doctor`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode


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
    json: options.Json = False,
) -> int:
    """Say what is missing or odd, and the command that mends it.

    Example: tunegate doctor
    """
    from tunegate.doctor import examine

    symptoms = examine(options.workspace(data=data, state=state, store=store, url=url, port=port))
    for symptom in symptoms:
        mend = "" if symptom.well else f" -> {symptom.mend}"
        say(f"{'ok  ' if symptom.well else 'MEND'}  {symptom.name}: {symptom.found}{mend}")
    if json:
        emit([asdict(symptom) for symptom in symptoms])
    return ExitCode.DONE if all(symptom.well for symptom in symptoms) else ExitCode.ERROR
