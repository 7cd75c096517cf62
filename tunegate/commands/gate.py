"""`gate` and `drift`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from promote.verdict import ColumnDrift
from tunegate.commands import options
from tunegate.console import console, drift_line, emit, say, show_verdict
from tunegate.errors import VERDICT_CODES, ExitCode
from tunegate.study.candidacy import Candidacy

if TYPE_CHECKING:
    from tunegate.workspace import Workspace


@click.command()
@options.candidate
@options.places
@options.include
@click.option("--url", help="A running service, to ask about the candidate's shadow.")
@options.cpus
@options.judging
@click.option(
    "--folds",
    type=options.PATH,
    help="Write the folds that --evidence must be for, as JSON or .parquet, and judge nothing.",
)
@options.json
def gate(
    trial: str | None,
    package: Path | None,
    evidence: Path | None,
    *,
    folds: Path | None,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Judge a candidate against the champion; changes nothing in production.

    The ledger counts it as a challenge of these rows, as it shows what they say.

    Example: tunegate gate --trial boston-forest-qd2sfcz2
    """
    opened = options.workspace(**flags)
    if folds:
        return _write_folds(opened, folds)
    trial = options.evidence_trial(opened, evidence, trial, package) or trial
    verdict = Candidacy.find(opened, trial=trial, package=package).judge()
    show_verdict(verdict)
    if json:
        emit(verdict.to_dict())
    return VERDICT_CODES[verdict.verdict]


def _write_folds(opened: "Workspace", path: Path) -> int:
    from trainer.dataset import load_dataset
    from tunegate.promotion.folds_file import write_folds

    settings = opened.settings
    dataset = load_dataset(settings.data, include=settings.include)
    write_folds(path, dataset, settings.gate)
    say(f"written: {path}; judge what a program predicts for it with --evidence FILE")
    return ExitCode.DONE


@click.command()
@options.data
@options.model
@options.state
@options.store
@options.ledger
@options.include
@options.json
def drift(*, json: bool, **flags: options.Flags) -> int:
    """Show how far the columns have moved since the model in production was trained.

    The training rows that are new to it are compared with those that it knows.

    Example: tunegate drift --data houses.toml
    """
    from tunegate.promotion.candidates import require_champion

    workspace = options.workspace(**flags)
    champion = require_champion(workspace, hint="`tunegate run` brings a model there")
    from trainer.dataset import load_dataset
    from tunegate.promotion.drift import measure_drift

    settings = workspace.settings
    found = measure_drift(load_dataset(settings.data, include=settings.include), champion)
    if json:
        emit([each.to_dict() for each in found])
    elif found:
        console.print(_drift_table(found))
        say(drift_line(found))
    else:
        say(
            "nothing to compare: the data are those that the model was trained on, "
            "or fewer than 20 training rows are known to it, or new"
        )
    return ExitCode.DONE


def _drift_table(found: Sequence[ColumnDrift]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("column", "", "PSI", "test", "p, adjusted"):
        table.add_column(name)
    for each in found:
        moved = "[yellow]moved[/]" if each.has_moved else ""
        test = f"{each.test} {each.statistic:.3g}"
        table.add_row(escape(each.column), moved, f"{each.psi:.3f}", test, f"{each.p:.2g}")
    return table
