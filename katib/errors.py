"""Every error this room raises.

KatibError
├── InvalidExperiment   the document cannot be run; carries lint's findings
├── SpaceExhausted      every point of a finite search space has been tried
├── EngineError         the local engine cannot start or continue
└── ClusterError        the request to Katib on a cluster failed
    ├── ClusterUnreachable  no answer, or one that makes no sense; trying later may help
    ├── Refused             the API server, or a webhook of Katib's, refuses; carries its words
    ├── Forbidden           the account has no permission
    ├── Missing             the object, its namespace, or Katib itself does not exist
    ├── AlreadyExists       the name is taken by another Experiment
    ├── Gone                the Experiment was deleted while it was followed
    └── TimedOut            the time given is over; the Experiment is still running
"""

from collections.abc import Sequence
from typing import Protocol


class LintFinding(Protocol):
    """What an error needs of a `katib.lint.finding.Finding`; lint itself imports this module."""

    @property
    def code(self) -> str:
        """The rule's code."""

    @property
    def severity(self) -> str:
        """One of error, warning and note."""

    @property
    def for_cluster_only(self) -> bool:
        """Whether this machine runs it all the same."""


class KatibError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # tracebacks and notebooks show it


class InvalidExperiment(KatibError):
    """The document is not an Experiment that can be run; `findings` are lint's."""

    def __init__(
        self, message: str, *, findings: Sequence[LintFinding] = (), hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class SpaceExhausted(KatibError):
    """Every point of a finite search space has been tried."""


class EngineError(KatibError):
    """The local engine cannot start or continue."""


class ClusterError(KatibError):
    """The request to Katib on a cluster failed."""


class ClusterUnreachable(ClusterError):
    """The API server gives no answer, or one that makes no sense; trying later may help."""


class Refused(ClusterError):
    """The API server, or a webhook of Katib's, refuses; the message carries its words."""


class Forbidden(ClusterError):
    """The account has no permission."""


class Missing(ClusterError):
    """The object, its namespace, or Katib itself does not exist."""


class AlreadyExists(ClusterError):
    """The name is taken by another Experiment."""


class Gone(ClusterError):
    """The Experiment was deleted while it was followed."""


class TimedOut(ClusterError):
    """The time given is over; the Experiment is still running."""
