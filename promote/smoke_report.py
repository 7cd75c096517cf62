"""What the smoke test saw."""

from registry.record import Record


class SmokeCheck(Record, frozen=True, kw_only=True):
    """One check of the service."""

    name: str
    passed: bool
    detail: str


class SmokeReport(Record, frozen=True, kw_only=True):
    """What the smoke test saw."""

    url: str
    checks: tuple[SmokeCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> str:
        """The failed checks in one line."""
        return "; ".join(f"{check.name}: {check.detail}" for check in self.checks if not check.passed)
