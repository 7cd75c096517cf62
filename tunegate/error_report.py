"""How an error is reported, and its exit code. Imported after an error: it imports all rooms."""

from typing import TypeGuard

from katib.errors import (
    AlreadyExists,
    ClusterUnreachable,
    EngineError,
    InvalidExperiment,
    KatibError,
    Missing,
    Refused,
)
from promote.errors import NoCandidate, PromoteError, SmokeFailed
from registry.errors import Conflict, InFlight, RegistryError, Unreachable
from trainer.errors import TrainerError
from tunegate.console import console
from tunegate.errors import ExitCode, UsageError
from tunegate.output import say

CODES: tuple[tuple[type[Exception], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (InvalidExperiment, ExitCode.USAGE),
    (Refused, ExitCode.USAGE),
    (AlreadyExists, ExitCode.USAGE),
    (Missing, ExitCode.USAGE),
    (TrainerError, ExitCode.USAGE),
    (Conflict, ExitCode.CONFLICT),
    (InFlight, ExitCode.CONFLICT),
    (Unreachable, ExitCode.UNREACHABLE),
    (ClusterUnreachable, ExitCode.UNREACHABLE),
    (SmokeFailed, ExitCode.SMOKE_FAILED),
    (EngineError, ExitCode.ERROR),
    (KatibError, ExitCode.ERROR),
    (NoCandidate, ExitCode.REFUSED),
    (PromoteError, ExitCode.ERROR),
    (RegistryError, ExitCode.ERROR),
)
KNOWN = tuple(kind for kind, _ in CODES)
# What a file system answers where a path was chosen badly; a full disk is not among it.
WRONG_PATH = (PermissionError, FileExistsError, FileNotFoundError, NotADirectoryError)


def report_error(error: Exception) -> ExitCode:
    """Say on stderr what went wrong and what to do next; return the exit code."""
    if isinstance(error, KNOWN):
        message = str(error)
        hint = getattr(error, "hint", "")
    elif _is_wrong_path(error):
        message = f"{error.filename}: {error.strerror}"
        hint = "check the path and who may write there; --state names another folder for tunegate"
    else:
        message = f"unexpected {type(error).__name__}: {error}"
        hint = "run it again with --debug before the command, and report it"
    console.print("[bold red]error:[/] ", end="")
    say(message)
    if hint:
        say(f"hint: {hint}")
    return exit_code(error)


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of an error; the first entry of `CODES` that it belongs to counts."""
    if _is_wrong_path(error):
        return ExitCode.USAGE
    return next((code for kind, code in CODES if isinstance(error, kind)), ExitCode.ERROR)


def _is_wrong_path(error: Exception) -> TypeGuard[OSError]:
    return isinstance(error, WRONG_PATH) and bool(error.filename and error.strerror)
