"""`history`."""

from collections.abc import Sequence

import click
from rich.markup import escape
from rich.table import Table

from registry import Entry
from tunegate.commands import options
from tunegate.console import console, emit
from tunegate.errors import ExitCode


@click.command()
@options.data
@options.model
@options.state
@options.ledger
@options.json
def history(*, json: bool, **flags: options.Flags) -> int:
    """Show what was in production when, and why.

    Example: tunegate history
    """
    workspace = options.workspace(**flags)
    entries = workspace.ledger.history(workspace.model)
    if json:
        emit([entry.to_dict() for entry in entries])
    elif entries:
        console.print(_history_table(entries))
    else:
        console.print(f"{workspace.model}: nothing was promoted yet")
    return ExitCode.DONE


def _history_table(entries: Sequence[Entry]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("no", "when", "state", "package", "by", "why"):
        table.add_column(column, overflow="fold", no_wrap=column not in {"by", "why"})
    for entry in entries:
        promotion = entry.promotion
        reason = "; ".join(promotion.reasons)
        if entry.state == "reverted" and entry.outcome:
            reason = entry.outcome.note
        cells = (
            str(promotion.number),
            promotion.created_at.strftime("%Y-%m-%d %H:%M"),
            entry.state,
            promotion.sha256[:12],
            promotion.actor,
            f"{promotion.kind}: {reason}",
        )
        table.add_row(*map(escape, cells))
    return table
