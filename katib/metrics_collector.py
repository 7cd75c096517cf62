"""Read metrics from a trial's output exactly as Katib's file metrics collector does.

Source: Katib v0.19, pkg/metricscollector/v1beta1 (file-metricscollector, common/const.go), with its
surprises: `mse=nan` is a report without a value, `val/mse=0.4` counts as `mse`, `1,234` is 1, and a
line is parsed if it contains a wanted name anywhere.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

UNAVAILABLE = "unavailable"
# Katib's filter ends before the `|[\w|-]+`, which skips whole words without a `=`. Without it,
# Python's engine tries a match at each of their letters: hours for a line of a mebibyte.
DEFAULT_FILTER = r"([\w|-]++)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)|[\w|-]+"
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)


class BadMetricsFile(Exception):
    """Katib's collector would stop with an error, and the trial's pod would fail with it."""


@dataclass(frozen=True, slots=True)
class Report:
    """One reported value, as text; empty if the filter matched a name without a number."""

    metric: str
    value: str
    time: datetime


@dataclass(slots=True)
class MetricSummary:
    """One metric's entry in an observation, updated by each report so that none must be kept."""

    low: str = UNAVAILABLE
    high: str = UNAVAILABLE
    latest: str = UNAVAILABLE
    time: datetime = NO_TIME

    def add(self, report: Report) -> None:
        """Take one more report."""
        value = number(report.value)
        if value is not None:
            if self.low == UNAVAILABLE or value < float(self.low):
                self.low = report.value
            if self.high == UNAVAILABLE or value > float(self.high):
                self.high = report.value
        if report.time >= self.time:
            self.latest = report.value
            self.time = report.time

    def entry(self, metric: str) -> dict[str, str]:
        """Return min and max of the numbers and `latest` by time; empty values are left out."""
        entry = {"name": metric, "min": self.low, "max": self.high, "latest": self.latest}
        return {key: value for key, value in entry.items() if value}


@dataclass(slots=True)
class MetricsReader:
    """Collects reports line by line, in constant memory.

    Attributes:
        metrics: wanted names, the objective first.
        filters: regular expressions with two groups, name and value; if empty, Katib's default.
        json_lines: whether the format is JSON, one object a line, instead of TEXT.
        pushed: whether the trial sends its reports itself; Katib then stores other metrics without
            the objective, too.
    """

    metrics: tuple[str, ...]
    filters: tuple[str, ...] = ()
    json_lines: bool = False
    pushed: bool = False
    _seen: dict[str, MetricSummary] = field(default_factory=dict)

    def feed(self, line: str) -> list[Report]:
        """Take one line; return what it reported.

        Raises:
            BadMetricsFile: when a line of a JSON file is not JSON.
        """
        found = list(self._parse_json(line) if self.json_lines else self._parse_text(line))
        for report in found:
            self.add(report)
        return found

    def add(self, report: Report) -> None:
        """Take one report."""
        self._seen.setdefault(report.metric, MetricSummary()).add(report)

    @property
    def objective_seen(self) -> bool:
        """Whether the objective was reported at all, with or without a number."""
        return self.metrics[0] in self._seen

    def observation(self) -> list[dict[str, str]]:
        """Return `status.observation.metrics` of the trial.

        A metric that was never reported is `unavailable`. If the objective was never reported,
        Katib stores no other metric either.
        """
        known = self._seen if self.objective_seen or self.pushed else {}
        return [known.get(name, MetricSummary()).entry(name) for name in self.metrics]

    def _parse_text(self, line: str) -> Iterable[Report]:
        if not any(name in line for name in self.metrics):
            return
        time = report_time(line.split(" ", 1)[0])
        for pattern in self.filters or (DEFAULT_FILTER,):
            for match in re.finditer(pattern, line, re.ASCII):
                name = (match.group(1) or "").strip()
                value = (match.group(2) or "").strip()
                if name in self.metrics:
                    yield Report(name, value, time)

    def _parse_json(self, line: str) -> Iterable[Report]:
        if not line:  # a line of blanks, or of a carriage return alone, is not JSON
            return
        try:
            document = json.loads(line, parse_constant=_reject_constant)
        except (ValueError, RecursionError) as error:
            raise BadMetricsFile(f"not JSON: {line[:80]!r}") from error
        if document is None:  # Go reads null as an empty object
            return
        if not isinstance(document, dict):
            raise BadMetricsFile(f"not a JSON object: {line[:80]!r}")
        time = _parse_json_time(document.get("timestamp"))
        for name in self.metrics:
            if isinstance(value := document.get(name), str):  # Katib skips numbers
                yield Report(name, value, time)


def number(text: str | None) -> float | None:
    """Return a finite number, or None for anything else."""
    try:
        value = float((text or "").replace("_", "?"))  # only Python reads 1_000 as a number
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def strategy_value(
    observation: Sequence[Mapping[str, str]], metric: str, strategy: str
) -> float | None:
    """Return a metric's value by its strategy, None if it is not finite.

    Args:
        observation: the trial's `status.observation.metrics`.
        metric: the metric's name.
        strategy: min, max or latest; if that field is unavailable, `latest` is used.
    """
    entry: Mapping[str, str] = next((e for e in observation if e.get("name") == metric), {})
    value = entry.get(strategy, UNAVAILABLE)
    return number(entry.get("latest") if value == UNAVAILABLE else value)


def report_time(token: str) -> datetime:
    """Return the time that a report is marked with, RFC 3339 with a zone; `NO_TIME` for others."""
    try:
        time = datetime.fromisoformat(token)
    except ValueError:
        return NO_TIME
    if time.tzinfo and "T" in token.upper():
        return time
    return NO_TIME


def _parse_json_time(value: object) -> datetime:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return report_time(str(value))
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return NO_TIME


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
