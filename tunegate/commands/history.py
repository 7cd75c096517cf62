"""`history`."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.markup import escape
from rich.table import Table

from promote.verdict import Verdict
from registry import Challenge, Entry
from registry.ledger import Chain
from registry.record import JsonObject
from tunegate.commands import options
from tunegate.console import console, emit, say, show_verdict
from tunegate.errors import ExitCode, UsageError
from tunegate.workspace import Workspace

RECORD_NAME = re.compile(r"c?[1-9][0-9]{0,8}")


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


class RecordName(click.ParamType[str]):
    """The number of a promotion, such as 7, or of a challenge, such as c7."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read it."""
        if not RECORD_NAME.fullmatch(str(value)):
            self.fail(
                f"{value!r} is no promotion, such as 7, nor challenge, such as c7", param, ctx
            )
        return str(value)


@click.command()
@click.option("--at", "moment", type=Moment(), help="Only what was in production at this time.")
@click.option(
    "--why",
    "name",
    type=RecordName(),
    help="The verdict that led to this promotion; of a challenge, such as c7, what refused it.",
)
@click.option("--all", "everything", is_flag=True, help="Also the candidates that did not get in.")
@options.data
@options.model
@options.state
@options.ledger
@click.option("--verify", is_flag=True, help="Say how far the digests vouch for the history.")
@options.json
def history_command(
    moment: datetime | None,
    name: str | None,
    *,
    everything: bool,
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
    promoted = {entry.promotion.verdict for entry in entries}
    refused = [each for each in workspace.challenges() if each.verdict not in promoted]
    if name is not None:
        return _explain(workspace, _find_record(workspace, name), as_json=json)
    if moment is not None:
        entries = _in_production(entries, moment)
    if json:
        emit(_as_json(entries, refused if everything else None))
        return ExitCode.DONE
    shown: list[Entry | Challenge] = [*entries, *(refused if everything else ())]
    if shown:
        console.print(_history_table(shown))
    elif moment is not None:
        console.print(f"{workspace.model}: nothing was in production at {moment:%Y-%m-%d %H:%M %Z}")
    else:
        console.print(f"{workspace.model}: nothing was promoted yet")
    if refused and moment is None and not everything:
        say(f"{len(refused)} candidate(s) did not get in: --all lists them")
    return ExitCode.DONE


def _as_json(
    entries: Sequence[Entry], refused: Sequence[Challenge] | None
) -> list[JsonObject] | JsonObject:
    """Return the entries; with `refused`, both under their names."""
    promotions = [entry.to_dict() for entry in entries]
    if refused is None:
        return promotions
    return {"promotions": promotions, "challenges": [each.to_dict() for each in refused]}


def _show_chain(workspace: Workspace, *, as_json: bool) -> int:
    chain = workspace.ledger.chain(workspace.model)
    challenges = len(workspace.challenges())  # verified, too
    if as_json:
        found = {"entries": len(chain.entries), "begins": chain.begins, "head": chain.head}
        emit({**found, "challenges": challenges})
    else:
        console.print(escape(_describe_chain(workspace.model, chain)))
        console.print(f"{challenges} challenges, as they were written")
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


def _find_record(workspace: Workspace, name: str) -> Entry | Challenge:
    """Return a promotion by its number, or a challenge by its number after a c.

    Raises:
        UsageError: when there is none.
    """
    number = int(name.removeprefix("c"))
    records: Sequence[Entry | Challenge] = workspace.history()
    kind = "promotion"
    if name.startswith("c"):
        records = workspace.challenges()
        kind = "challenge"
    if number > len(records):
        hint = f"the newest is {len(records)}" if records else f"there was no {kind} yet"
        raise UsageError(f"no {kind} {number} of {workspace.model}", hint=hint)
    return records[number - 1]


def _explain(workspace: Workspace, record: Entry | Challenge, *, as_json: bool) -> int:
    """Show a record and, where it is kept here, its verdict."""
    verdict = _kept_verdict(workspace, record)
    if as_json:
        kind = "entry" if isinstance(record, Entry) else "challenge"
        emit({kind: record.to_dict(), "verdict": verdict.to_dict() if verdict else None})
        return ExitCode.DONE
    console.print(_history_table([record]))
    if verdict:
        show_verdict(verdict)
    return ExitCode.DONE


def _kept_verdict(workspace: Workspace, record: Entry | Challenge) -> Verdict | None:
    digest = record.promotion.verdict if isinstance(record, Entry) else record.verdict
    if not digest:
        say("without a verdict: it is a rollback")
        return None
    try:
        return workspace.kept_verdict(digest)
    except UsageError:
        folder = workspace.settings.state / "verdicts"
        say(f"its verdict, {digest[:12]}, is not kept in {folder}: it was decided elsewhere")
        return None


def _history_table(records: Sequence[Entry | Challenge]) -> Table:
    """Return records as a table, in the order of their times."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("no", "when", "state", "package", "by", "why"):
        table.add_column(column, overflow="fold", no_wrap=column not in {"by", "why"})
    for record in sorted(records, key=_began):
        row = _promotion_row(record) if isinstance(record, Entry) else _challenge_row(record)
        table.add_row(*map(escape, row))
    return table


def _began(record: Entry | Challenge) -> datetime:
    return record.promotion.created_at if isinstance(record, Entry) else record.decided_at


def _promotion_row(entry: Entry) -> tuple[str, ...]:
    promotion = entry.promotion
    reason = "; ".join(promotion.reasons)
    if entry.state == "reverted" and entry.outcome:
        reason = entry.outcome.note
    return (
        str(promotion.number),
        promotion.created_at.strftime("%Y-%m-%d %H:%M"),
        entry.state,
        promotion.sha256[:12],
        promotion.actor,
        f"{promotion.kind}: {reason}",
    )


def _challenge_row(challenge: Challenge) -> tuple[str, ...]:
    return (
        f"c{challenge.number}",
        challenge.decided_at.strftime("%Y-%m-%d %H:%M"),
        _challenge_state(challenge),
        challenge.sha256[:12],
        challenge.actor,
        "; ".join(challenge.reasons),
    )


def _challenge_state(challenge: Challenge) -> str:
    if challenge.until is None:
        return challenge.decision
    return f"{challenge.decision} until {challenge.until:%Y-%m-%d %H:%M}"
