"""`export` and `import`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from registry.files import write_atomic
from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    file: Annotated[Path, typer.Argument(help="The bundle to write; - for stdout.")],
    data: options.Data = None,
    model: options.Model = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
) -> int:
    """Write what is in production, with its ledger and evidence, into one file.

    Example: tunegate export boston.zip
    """
    from tunegate.bundle import export_bundle

    workspace = options.workspace(data=data, model=model, state=state, store=store, ledger=ledger)
    content = export_bundle(workspace)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_atomic(file, content)
    say(f"exported {workspace.model}: {len(content)} bytes")
    return ExitCode.DONE


def import_(
    file: Annotated[Path, typer.Argument(help="The bundle to read; - for stdin.")],
    data: options.Data = None,
    model: options.Model = None,
    state: options.State = None,
    store: options.Store = None,
    ledger: options.Ledger = None,
    json: options.Json = False,
) -> int:
    """Bring store, ledger and pointer to where a bundle's were; a second time changes nothing.

    Example: tunegate import boston.zip
    """
    from tunegate.bundle import import_bundle

    workspace = options.workspace(data=data, model=model, state=state, store=store, ledger=ledger)
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}", hint="name a bundle that `tunegate export` has written"
        ) from error
    done = import_bundle(workspace, content)
    for sentence in done:
        say(sentence)
    if json:
        emit(done)
    return ExitCode.DONE
