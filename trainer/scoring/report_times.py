"""Times in front of metric lines, so that the last report is the last one in any database.

Katib's collector takes the first word of a line as its time if it is one, and Katib takes the value
with the latest time. Reports without a time all have the same one, and a database may return equal
ones in any order: MariaDB keeps 25 in theirs, and 60 not.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

STEP = timedelta(microseconds=1)  # the finest time that Katib's database has


class ReportTimes:
    """Puts a time in front of lines, each later than the one before it."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._last = datetime.min.replace(tzinfo=UTC)

    def stamp(self, line: str) -> str:
        """Return the line with a time, as RFC 3339 writes it."""
        self._last = max(self._now(), self._last + STEP)
        return f"{self._last.isoformat(timespec='microseconds')} {line}"
