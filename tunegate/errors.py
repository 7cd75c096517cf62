"""Exit codes, and how the rooms' errors become them."""

from enum import IntEnum

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


class ExitCode(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    KEPT = 10
    HELD = 11
    REFUSED = 12
    UNREACHABLE = 20
    CONFLICT = 21
    SMOKE_FAILED = 30
    INTERRUPTED = 130


VERDICT_CODES = {
    "promote": ExitCode.DONE,
    "keep": ExitCode.KEPT,
    "hold": ExitCode.HELD,
    "refuse": ExitCode.REFUSED,
}


class UsageError(Exception):
    """A command was called in a way that cannot work; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


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


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of an error of ours; the first kind that fits counts."""
    return next((code for kind, code in CODES if isinstance(error, kind)), ExitCode.ERROR)
