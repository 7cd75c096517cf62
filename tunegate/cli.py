"""The command line. Results go to stdout, everything else to stderr; exit codes are in `tunegate.errors.ExitCode`."""

import signal
import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from tunegate.commands import cluster, deciding, inspecting, moving, searching, serving, shadow
from tunegate.console import console, say
from tunegate.errors import KNOWN, ExitCode, exit_code

HELP = """From some hyperparameters to a better model in production, and we can prove it.

Exit codes: 0 done, 10 champion kept, 11 held, 12 refused, 1 error, 2 usage, 20 ledger or cluster unreachable,
21 conflict lost, 30 smoke test failed and reverted, 130 interrupted."""

app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True)
for group in (searching, deciding, serving, shadow, inspecting, moving, cluster):
    group.register(app)


@app.callback()
def _root(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,  # noqa: FBT002 - a flag
) -> None:
    context.obj = {"debug": debug}


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] if argv is None else argv
    sys.exit(_guarded(arguments))


def _guarded(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    command: Any = typer.main.get_command(app)
    try:
        code = int(command.main(arguments, prog_name="tunegate", standalone_mode=False) or 0)
    except TyperException as error:
        return _misused(error)
    except BrokenPipeError:
        sys.stdout = None  # nobody reads any more; flushing it again would fail
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            raise
        return _report(error)
    if code == ExitCode.INTERRUPTED:
        say("interrupted; `tunegate tune --resume` or `tunegate run --resume` goes on with an unfinished search")
    return code


def _misused(error: Any) -> int:  # noqa: ANN401 - typer keeps the type with `show` to itself
    error.show()
    return ExitCode.USAGE


def _report(error: Exception) -> int:
    known = isinstance(error, KNOWN)
    console.print("[bold red]error:[/] ", end="")
    say(str(error) if known else f"unexpected {type(error).__name__}: {error}")
    hint = getattr(error, "hint", "") if known else "run it again with --debug before the command, and report it"
    if hint:
        say(f"hint: {hint}")
    return exit_code(error) if known else ExitCode.ERROR
