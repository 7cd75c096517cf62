"""`repair`."""

import click

from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode


@click.command()
@click.option("--force", is_flag=True, help="Take over a promotion whose lease still runs.")
@options.places
@options.url
@options.json
def repair(*, force: bool, json: bool, **flags: options.Flags) -> int:
    """Finish or undo what a crashed run left; let the pointer follow the ledger.

    Example: tunegate repair
    """
    workspace = options.workspace(**flags)
    promoter = workspace.promoter(url=workspace.settings.url, notify=say)
    done = promoter.repair(workspace.model, force=force)
    for sentence in done or ["nothing to repair"]:
        say(sentence)
    if json:
        emit(done)
    return ExitCode.DONE
