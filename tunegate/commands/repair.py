"""`repair`."""

import click

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode


@click.command()
@click.option("--force", is_flag=True, help="Take over a promotion whose lease still runs.")
@click.option(
    "--check", is_flag=True, help="Verify all packages that were in production; change nothing."
)
@options.places
@options.url
@options.json
def repair(*, force: bool, check: bool, json: bool, **flags: options.Flags) -> int:
    """Finish or undo what a crashed run left; let the pointer follow the ledger.

    Ends with exit code 1 where the package in production is damaged; with --check, where any is
    that a rollback could return to.

    Example: tunegate repair
    """
    workspace = options.workspace(**flags)
    promoter = workspace.promoter(url=workspace.settings.url, notify=say)
    done = [] if check else promoter.repair(workspace.model, force=force)
    damaged = promoter.check(workspace.model, all_live=check)
    for sentence in [*done, *damaged] or ["nothing to repair"]:
        say(sentence)
    if json:
        emit([*done, *damaged])
    if damaged:
        return ExitCode.ERROR
    return ExitCode.DONE
