"""A lint finding: one thing to fix in a document."""

from dataclasses import dataclass
from typing import NamedTuple

from katib.lint.catalogue import Severity, find_rule


class Replacement(NamedTuple):
    """Text that replaces the characters from `start` up to `end`.

    Both offsets count characters from 0 in the whole text.
    """

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to fix.

    Attributes:
        code: the rule's.
        severity: how severe it is where the Experiment is to run.
        source: the file's name.
        line: from 1.
        column: from 1.
        field: the dotted path of the field, `document` for the whole.
        message: what is wrong.
        fix: what to do; empty if that is obvious.
        replacement: the change of the text that fixes it, if one is safe.
    """

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
        return f"{self.source}:{self.line}:{self.column}: {self.code} {self.description}"

    @property
    def description(self) -> str:
        """The field, what is wrong with it, and what to do."""
        fix = f" ({self.fix})" if self.fix else ""
        return f"{self.field}: {self.message}{fix}"

    @property
    def for_local_only(self) -> bool:
        """Whether a cluster runs it all the same."""
        return self.code.startswith("K3")

    @property
    def for_cluster_only(self) -> bool:
        """Whether this machine runs it all the same."""
        return find_rule(self.code).cluster_only

    @property
    def why(self) -> str:
        """What happens if it is not fixed."""
        return find_rule(self.code).why
