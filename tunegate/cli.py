"""The command line: results go to stdout, everything else to stderr.

Exit codes are in `tunegate.errors.ExitCode`.
"""

import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import click

from tunegate.errors import ExitCode
from tunegate.output import say

HELP = """From some hyperparameters to a better model in production, and we can prove it.

Exit codes: 0 done, 10 champion kept, 11 held, 12 refused, 1 error, 2 usage, 20 ledger or cluster
unreachable, 21 conflict lost, 30 smoke test failed and reverted, 130 interrupted."""
MODULES = {  # command -> its module in `tunegate.commands`, in the order in which help shows them
    "run": "run",
    "tune": "run",
    "train": "train",
    "package": "train",
    "init": "init",
    "lint": "lint",
    "gate": "gate",
    "promote": "promote",
    "approve": "promote",
    "drift": "gate",
    "rollback": "rollback",
    "history": "history",
    "repair": "repair",
    "serve": "serve",
    "predict": "predict",
    "evaluate": "predict",
    "smoke": "smoke",
    "shadow": "shadow",
    "watch": "watch",
    "katib": "katib",
    "report": "report",
    "export-study": "report",
    "doctor": "doctor",
    "export": "bundle",
    "import": "bundle",
    "cluster": "cluster",
}
FUNCTIONS = {  # of commands whose own names Python, or another module, has taken
    "tune": "tune_command",
    "history": "history_command",
    "serve": "serve_command",
    "export-study": "export_study_command",
    "katib": "katib_command",
    "package": "package_command",
    "export": "export_command",
    "import": "import_command",
}


class Commands(Mapping[str, click.Command]):
    """The commands by name; a module is imported when one of its commands is called."""

    def __getitem__(self, name: str) -> click.Command:
        """Import a command."""
        module = import_module(f"tunegate.commands.{MODULES[name]}")
        command: click.Command = getattr(module, FUNCTIONS.get(name, name))
        return command

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(MODULES)

    def __len__(self) -> int:
        """Count them."""
        return len(MODULES)


class Root(click.Group):
    """The group of all commands, in the order of `MODULES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names."""
        return list(MODULES)


root = Root(
    "tunegate",
    commands=Commands(),  # type: ignore[arg-type] # it is only read
    params=[click.Option(["--debug"], is_flag=True, expose_value=False, help="Show tracebacks.")],
    help=HELP,
    no_args_is_help=True,
    context_settings={"max_content_width": 120},
)
root = click.version_option(package_name="tunegate", message="tunegate %(version)s")(root)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:] if argv is None else argv
    sys.exit(_run_guarded(arguments))


def _run_guarded(arguments: list[str]) -> int:
    debug = "--debug" in arguments
    try:
        result: Any = root.main(arguments, prog_name="tunegate", standalone_mode=False)
        code = int(result or 0)
    except click.Abort:  # what click makes of KeyboardInterrupt
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except BrokenPipeError:
        sys.stdout = None  # the reader has closed the pipe; flushing it again would fail
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            raise
        from tunegate.error_report import report_error  # noqa: PLC0415 - imports all rooms

        return report_error(error)
    if code == ExitCode.INTERRUPTED:
        say("interrupted; `tunegate tune --resume` or `tunegate run --resume` resumes the search,")
        say("`tunegate promote` judges the trials of a search that had finished")
    return code
