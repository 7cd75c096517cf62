"""What trials have reported: a file of JSON lines in each trial's folder.

The local engine writes it while it collects metrics, and Katib's DBManager, for trials that push
theirs; `KatibClient.get_trial_metrics` reads it. Times and values are texts, as in Katib's
database.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from katib.errors import Missing
from katib.metrics_collector import Report, report_time

FILE = "reports.jsonl"
NAME = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}")  # of a trial


class LoggedReport(NamedTuple):
    """One line of Katib's observation log: the time is RFC 3339."""

    time: str
    metric: str
    value: str

    def to_line(self) -> bytes:
        """Return it as a line of the file."""
        return json.dumps(self._asdict()).encode() + b"\n"


class ReportLogs(Protocol):
    """The observation logs of trials, by the trial's name."""

    def read(self, trial: str) -> list[LoggedReport]:
        """Return what a trial has reported, in order; raises Missing for an unknown trial."""

    def append(self, trial: str, reports: Sequence[LoggedReport]) -> None:
        """Add reports; raises Missing for an unknown trial, Refused if none can be added."""

    def delete(self, trial: str) -> None:
        """Delete a trial's reports; raises as `append` does."""


def trial_file(trials: Path, trial: str) -> Path:
    """Return the file of a trial's reports.

    Args:
        trials: the folder of the trials' folders.
        trial: the trial's name, as a request has it.

    Raises:
        Missing: when there is no such trial.
    """
    if not NAME.fullmatch(trial) or not (trials / trial).is_dir():
        raise Missing(f"there is no trial {trial[:80]!r}")
    return trials / trial / FILE


def to_logged(report: Report) -> LoggedReport:
    """Return a report of the metrics collector as Katib's database has it."""
    time = report.time.isoformat().replace("+00:00", "Z")
    return LoggedReport(time, report.metric, report.value)


def to_report(logged: LoggedReport) -> Report:
    """Return a line of the observation log as the metrics collector knows it."""
    return Report(logged.metric, logged.value, report_time(logged.time))


def read_reports(path: Path) -> list[LoggedReport]:
    """Return the reports of a file in the order of their times; none if it does not exist.

    Raises:
        OSError: when the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    found = list(_parse_lines(content.split(b"\n")[:-1]))  # after the last line break: half a line
    return sorted(found, key=lambda logged: report_time(logged.time))


def _parse_lines(lines: Iterable[bytes]) -> Iterable[LoggedReport]:
    for line in lines:
        try:
            yield LoggedReport(**json.loads(line))
        except (TypeError, ValueError):
            continue  # the disk was full
