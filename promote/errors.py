"""Every error this room raises.

PromoteError
├── NoCandidate    no trial has succeeded with a finite objective
└── SmokeFailed    the service does not answer as the package does; the promotion was reverted
"""


class PromoteError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks and notebooks show it


class NoCandidate(PromoteError):
    """No trial has succeeded with a finite objective."""


class SmokeFailed(PromoteError):
    """The service does not answer as the promoted package does."""
