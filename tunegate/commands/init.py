"""`init`."""

import shlex
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tunegate.commands import options
from tunegate.console import console, emit, say

if TYPE_CHECKING:
    from tunegate.starters import Starter

WIDEST = 100


@click.command()
@click.argument(
    "table", help="A table: a path or an address of anything that can be read, also a database's."
)
@click.option("--target", default="", help="The column to predict.", show_default=False)
@click.option(
    "--task",
    type=click.Choice(["regression", "classification"]),
    help="What kind of prediction it is.",
    show_default="by the target's values",
)
@click.option("--name", default="", help="Name of data set and model.", show_default="the table's")
@options.query
@options.learner
@click.option(
    "--output",
    type=options.PATH,
    default=Path(),
    help="Folder for both files.",
    show_default="the current one",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--dry-run", is_flag=True, help="Say what would be decided, and write nothing.")
@options.json
def init(
    table: str,
    *,
    target: str,
    task: str | None,
    name: str,
    query: str,
    learner: str,
    output: Path,
    force: bool,
    dry_run: bool,
    json: bool,
) -> None:
    """Write a spec and an Experiment for a table, with each decision and its reason.

    Both files are yours to edit; nothing is replaced without --force.

    Example: tunegate init houses.csv --target price
    """
    from tunegate.starters import start_from_table, write_starter
    from tunegate.starters.summary import summary_lines

    starter = start_from_table(
        table, target, task=task or "", name=name, query=query, model=learner, folder=output
    )
    for line in summary_lines(starter.profile, learners=starter.learners):
        _say_wrapped(line)
    for note in starter.notes:
        _say_wrapped(f"note: {note}")
    if not dry_run:
        write_starter(starter, force=force)
        say(f"written: {starter.spec_path} and {starter.experiment_path}")
        _say_next(starter)
    if json:
        emit(asdict(starter.profile))


def _say_wrapped(line: str) -> None:
    width = min(console.width, WIDEST)
    say(textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False))


def _say_next(starter: "Starter") -> None:
    """Say the command that searches, or what has to be decided before it can."""
    from trainer.dataset import load_dataset
    from trainer.errors import DataError

    command = _next_command(starter)
    try:
        dataset = load_dataset(str(starter.spec_path))
    except DataError as error:
        say(f"to decide: {error}")
        if error.hint:
            say(f"hint: {error.hint}")
        _say_wrapped(f"then: {command}")
    else:
        for note in dataset.notes:
            if note not in starter.notes:
                _say_wrapped(f"note: {note}")
        _say_wrapped(f"next: {command}")


def _next_command(starter: "Starter") -> str:
    experiment = shlex.quote(str(starter.experiment_path))
    return f"tunegate run {experiment} --data {shlex.quote(str(starter.spec_path))}"
