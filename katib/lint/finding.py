"""A lint finding: one thing to mend in a document."""

from dataclasses import dataclass
from typing import NamedTuple

from katib.lint.catalogue import Severity, rule


class Replacement(NamedTuple):
    """Text to put in place of the characters from `start` to before `end`; both count from 0 in the whole text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: where it is, what is wrong, what to do, and the change that does it where one is safe."""

    code: str
    severity: Severity
    source: str
    line: int
    column: int
    field: str
    message: str
    fix: str = ""
    replacement: Replacement | None = None

    def __str__(self) -> str:
        fix = f" ({self.fix})" if self.fix else ""
        return f"{self.source}:{self.line}:{self.column}: {self.code} {self.field}: {self.message}{fix}"

    @property
    def for_local_only(self) -> bool:
        """Whether a cluster would run it all the same."""
        return self.code.startswith("K3")

    @property
    def for_cluster_only(self) -> bool:
        """Whether this machine would run it all the same."""
        return rule(self.code).cluster_only

    @property
    def why(self) -> str:
        """What becomes of it when nobody mends it."""
        return rule(self.code).why
