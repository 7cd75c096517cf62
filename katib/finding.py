"""A lint finding: one thing to mend in a document."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend: where it is, what is wrong, what to do."""

    code: str
    severity: Severity
    source: str
    line: int
    column: int
    field: str
    message: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f" ({self.fix})" if self.fix else ""
        return f"{self.source}:{self.line}:{self.column}: {self.code} {self.field}: {self.message}{fix}"

    @property
    def for_local_only(self) -> bool:
        """Whether a cluster would run it all the same."""
        return self.code.startswith("K3")
