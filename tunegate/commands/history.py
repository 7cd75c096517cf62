"""`history`."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.markup import escape
from rich.table import Table

from promote.verdict import Verdict
from registry import Entry
from registry.ledger import Chain
from tunegate.commands import options
from tunegate.console import console, emit, say, show_verdict
from tunegate.errors import ExitCode, UsageError
from tunegate.workspace import Workspace


class Moment(click.ParamType[datetime]):
    """A date, or a date and a time, as ISO 8601 writes them; in UTC unless it says otherwise."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2026-11-30 or 2026-11-30T16:45", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


@click.command()
@click.option("--at", "moment", type=Moment(), help="Only what was in production at this time.")
@click.option(
    "--why", "number", type=click.IntRange(1), help="The verdict that led to this promotion."
)
@options.data
@options.model
@options.state
@options.ledger
@click.option("--verify", is_flag=True, help="Say how far the digests vouch for the history.")
@options.json
def history_command(
    moment: datetime | None,
    number: int | None,
    *,
    verify: bool,
    json: bool,
    **flags: options.Flags,
) -> int:
    """Show what was in production when, and why.

    A history that is not as it was written is an error, with or without --verify.

    Example: tunegate history --at 2026-11-30T16:45
    """
    workspace = options.workspace(**flags)
    if verify:
        return _show_chain(workspace, as_json=json)
    entries = workspace.history()
    if number is not None:
        return _explain_promotion(workspace, entries, number, as_json=json)
    if moment is not None:
        entries = _in_production(entries, moment)
    if json:
        emit([entry.to_dict() for entry in entries])
    elif entries:
        console.print(_history_table(entries))
    elif moment is not None:
        console.print(f"{workspace.model}: nothing was in production at {moment:%Y-%m-%d %H:%M %Z}")
    else:
        console.print(f"{workspace.model}: nothing was promoted yet")
    return ExitCode.DONE


def _show_chain(workspace: Workspace, *, as_json: bool) -> int:
    chain = workspace.ledger.chain(workspace.model)
    if as_json:
        emit({"entries": len(chain.entries), "begins": chain.begins, "head": chain.head})
    else:
        console.print(escape(_describe_chain(workspace.model, chain)))
    return ExitCode.DONE


def _describe_chain(model: str, chain: Chain) -> str:
    n = len(chain.entries)
    if not n:
        return f"{model}: nothing was promoted yet"
    if chain.begins is None:
        return f"{model}: {n} entries without digests; the chain begins with the next one"
    covered = "all entries are as they were written"
    if chain.begins > 1:
        covered += (
            f"; those before promotion {chain.begins}, as they were when the chain began there"
        )
    return f"{model}: {n} entries; {covered}\nlast digest {chain.head}"


def _in_production(entries: Sequence[Entry], moment: datetime) -> list[Entry]:
    """Return the entry that was in production, alone; nothing if there was none."""
    live = [
        entry
        for entry in entries
        if entry.outcome and entry.state == "live" and entry.outcome.closed_at <= moment
    ]
    return live[-1:]


def _explain_promotion(
    workspace: Workspace, entries: Sequence[Entry], number: int, *, as_json: bool
) -> int:
    """Show an entry and, where it is kept here, its verdict.

    Raises:
        UsageError: when there is no such promotion.
    """
    entry = next((each for each in entries if each.promotion.number == number), None)
    if entry is None:
        hint = f"the newest is {len(entries)}" if entries else "nothing was promoted yet"
        raise UsageError(f"no promotion {number} of {workspace.model}", hint=hint)
    verdict = _kept_verdict(workspace, entry)
    if as_json:
        emit({"entry": entry.to_dict(), "verdict": verdict.to_dict() if verdict else None})
        return ExitCode.DONE
    console.print(_history_table([entry]))
    if verdict:
        show_verdict(verdict)
    return ExitCode.DONE


def _kept_verdict(workspace: Workspace, entry: Entry) -> Verdict | None:
    digest = entry.promotion.verdict
    if not digest:
        say("without a verdict: it is a rollback")
        return None
    try:
        return workspace.kept_verdict(digest)
    except UsageError:
        folder = workspace.settings.state / "verdicts"
        say(f"its verdict, {digest[:12]}, is not kept in {folder}: it was decided elsewhere")
        return None


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
