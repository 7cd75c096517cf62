"""The command line. Results go to stdout, everything else to stderr; exit codes are in `tunegate.errors.ExitCode`."""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from tunegate.errors import ExitCode
from tunegate.output import say

HELP = """From some hyperparameters to a better model in production, and we can prove it.

Exit codes: 0 done, 10 champion kept, 11 held, 12 refused, 1 error, 2 usage, 20 ledger or cluster unreachable,
21 conflict lost, 30 smoke test failed and reverted, 130 interrupted."""
COMMANDS = {  # of each module in `tunegate.commands`, in the order in which help shows them
    "searching": ("run", "tune", "lint"),
    "deciding": ("gate", "promote", "approve", "rollback", "history", "repair"),
    "serving": ("serve", "smoke"),
    "shadow": ("shadow",),
    "inspecting": ("watch", "report", "export-study", "doctor"),
    "moving": ("export", "import"),
    "cluster": ("cluster",),
}


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """Return the command line with the commands of the module whose command `arguments` name; else with all of them.

    All are for help, completion and suggestions; a server, or a trial's gate, starts without the others.
    """
    app = typer.Typer(help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True)
    app.callback()(_root)
    command = next((word for word in arguments if not word.startswith("-")), "")
    for module in [name for name, names in COMMANDS.items() if command in names] or COMMANDS:
        import_module(f"tunegate.commands.{module}").register(app)
    return app


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
    command: Any = typer.main.get_command(application(arguments))
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
        from tunegate.failing import report  # noqa: PLC0415 - knows the errors of all rooms

        return report(error)
    if code == ExitCode.INTERRUPTED:
        say("interrupted; `tunegate tune --resume` or `tunegate run --resume` goes on with an unfinished search")
    return code


def _misused(error: Any) -> int:  # noqa: ANN401 - typer keeps the type with `show` to itself
    error.show()
    return ExitCode.USAGE
