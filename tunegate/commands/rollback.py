"""`rollback`."""

import click

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode


@click.command()
@click.option("--to", type=int, help="Number of the promotion.", show_default="the one before")
@click.option("--reason", default="", help="Why, for the ledger.")
@options.places
@options.url
@options.dry_run
@options.json
def rollback(
    to: int | None, reason: str, *, dry_run: bool, json: bool, **flags: options.Flags
) -> int:
    """Return to an earlier promotion; this is one more promotion in the ledger.

    Example: tunegate rollback --reason "customers complain"
    """
    workspace = options.workspace(**flags)
    promoter = workspace.promoter(url=workspace.settings.url, notify=say)
    if dry_run:
        entry = promoter.rollback_target(workspace.model, to=to)
        promotion = entry.promotion
        say(f"would return to promotion {promotion.number}, package {promotion.sha256[:12]}")
    else:
        # So that `before` is what truly serves.
        for sentence in promoter.repair(workspace.model, damaged=True):
            say(sentence)
        before = workspace.champion()
        entry = promoter.rollback(workspace.model, to=to, reason=reason)
        workspace.save_rollback(before, entry)
        promotion = entry.promotion
        say(
            f"promotion {promotion.number} is {entry.state}: "
            f"back to package {promotion.sha256[:12]}"
        )
    if json:
        emit(entry.to_dict())
    return ExitCode.DONE
