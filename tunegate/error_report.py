"""What is said of an error, and the exit code that it becomes; imported when one has happened: it knows all rooms."""

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


def report(error: Exception) -> ExitCode:
    """Say on stderr what went wrong and what to do next; return the exit code."""
    known = isinstance(error, KNOWN)
    console.print("[bold red]error:[/] ", end="")
    say(str(error) if known else f"unexpected {type(error).__name__}: {error}")
    if known:
        hint = getattr(error, "hint", "")
    else:
        hint = "run it again with --debug before the command, and report it"
    if hint:
        say(f"hint: {hint}")
    return exit_code(error)


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of an error of ours; the first kind that fits counts."""
    return next((code for kind, code in CODES if isinstance(error, kind)), ExitCode.ERROR)
