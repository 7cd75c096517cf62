"""Exit codes, and the error of a command that was called wrongly.

The other rooms' errors get their exit codes in `tunegate.error_report`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means."""

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
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks and notebooks show it
