"""Every error this room raises.

KatibError
├── InvalidExperiment   the document cannot be run; carries lint's findings
├── SpaceExhausted      every point of a finite search space has been tried
├── EngineError         the local engine cannot start or go on
└── ClusterError        something is wrong between us and Katib on a cluster
    ├── ClusterUnreachable  no answer, or one that makes no sense; it may be better soon
    ├── Refused             the API server, or a webhook of Katib's, says no; carries its words
    ├── Forbidden           our account may not do it
    ├── Missing             the object, its namespace, or Katib itself is not there
    ├── AlreadyExists       the name is taken by another Experiment
    ├── Gone                the Experiment was deleted while it was followed
    └── TimedOut            the time given is over; the Experiment goes on
"""

from collections.abc import Sequence
from typing import Any


class KatibError(Exception):
    """Root of the tree; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class InvalidExperiment(KatibError):
    """The document is not an Experiment that can be run; `findings` are `katib.lint.finding.Finding`."""

    def __init__(self, message: str, *, findings: Sequence[Any] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.findings = tuple(findings)


class SpaceExhausted(KatibError):
    """Every point of a finite search space has been tried."""


class EngineError(KatibError):
    """The local engine cannot start or go on."""


class ClusterError(KatibError):
    """Something is wrong between us and Katib on a cluster."""


class ClusterUnreachable(ClusterError):
    """The API server gives no answer, or one that makes no sense; it may be better soon."""


class Refused(ClusterError):
    """The API server, or a webhook of Katib's, says no; the message carries its words."""


class Forbidden(ClusterError):
    """Our account may not do it."""


class Missing(ClusterError):
    """The object, its namespace, or Katib itself is not there."""


class AlreadyExists(ClusterError):
    """The name is taken by another Experiment."""


class Gone(ClusterError):
    """The Experiment was deleted while it was followed."""


class TimedOut(ClusterError):
    """The time given is over; the Experiment goes on."""
