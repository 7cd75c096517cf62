"""`export` and `import`: what is in production, as one file."""

import sys
from pathlib import Path

import click

from registry.atomic_files import write_atomic
from tunegate.commands import options
from tunegate.console import emit, say
from tunegate.errors import ExitCode, UsageError
from tunegate.promotion.bundle import export_bundle, import_bundle


@click.command("export")
@click.argument("file", type=options.PATH, help="The bundle to write; - for stdout.")
@options.places
def export_command(file: Path, **flags: options.Flags) -> int:
    """Write what is in production, with its ledger and evidence, into one file.

    Example: tunegate export boston.zip
    """
    workspace = options.workspace(**flags)
    content = export_bundle(workspace)
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_atomic(file, content)
    say(f"exported {workspace.model}: {len(content)} bytes")
    return ExitCode.DONE


@click.command("import")
@click.argument("file", type=options.PATH, help="The bundle to read; - for stdin.")
@options.places
@options.json
def import_command(file: Path, *, json: bool, **flags: options.Flags) -> int:
    """Bring store, ledger and pointer to where a bundle's were; a second time changes nothing.

    Example: tunegate import boston.zip
    """
    workspace = options.workspace(**flags)
    done = import_bundle(workspace, _read_bundle(file))
    for sentence in done:
        say(sentence)
    if json:
        emit(done)
    return ExitCode.DONE


def _read_bundle(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: {error.strerror}", hint="name a bundle that `tunegate export` has written"
        ) from error
