"""Every error this room raises.

KatibError
├── InvalidExperiment   the document cannot be run; carries lint's findings
├── SpaceExhausted      every point of a finite search space has been tried
└── EngineError         the local engine cannot start or go on
"""

from collections.abc import Sequence

from katib.finding import Finding


class KatibError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InvalidExperiment(KatibError):
    """The document is not an Experiment that can be run."""

    def __init__(self, message: str, *, findings: Sequence[Finding] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class SpaceExhausted(KatibError):
    """Every point of a finite search space has been tried."""


class EngineError(KatibError):
    """The local engine cannot start or go on."""
