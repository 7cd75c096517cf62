"""Read metrics from a trial's output exactly as Katib's file metrics collector does.

Source: Katib v0.19, pkg/metricscollector/v1beta1 (file-metricscollector, common/const.go), with its surprises:
`mse=nan` is a report without a value, `val/mse=0.4` counts as `mse`, `1,234` is 1, and a line takes part when it
contains a wanted name anywhere.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

UNAVAILABLE = "unavailable"
# Katib's, which ends before the `|[\w|-]+`: that passes over words without a `=` whole, for Python's engine would
# otherwise try each of their letters as a beginning, hours for a line of a mebibyte.
DEFAULT_FILTER = r"([\w|-]++)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)|[\w|-]+"
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)


class BadMetricsFile(Exception):
    """The collector would stop with an error, and the trial's pod would fail with it."""


@dataclass(frozen=True, slots=True)
class Report:
    """One reported value, as text; empty when the filter matched a name without a number."""

    metric: str
    value: str
    time: datetime


@dataclass(slots=True)
class Summary:
    """What an observation says of one metric, kept up to date so that no report need be kept."""

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
            else:
                self.low = self.low
            if self.high == UNAVAILABLE or value > float(self.high):
                self.high = report.value
            else:
                self.high = self.high
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
        filters: regular expressions with two groups, name and value; Katib's default where empty.
        json_lines: whether the format is JSON, one object a line, instead of TEXT.
    """

    metrics: tuple[str, ...]
    filters: tuple[str, ...] = ()
    json_lines: bool = False
    _seen: dict[str, Summary] = field(default_factory=dict)

    def feed(self, line: str) -> list[Report]:
        """Take one line; return what it reported.

        Raises:
            BadMetricsFile: when a line of a JSON file is not JSON.
        """
        found = list(self._json(line) if self.json_lines else self._text(line))
        for report in found:
            self._seen.setdefault(report.metric, Summary()).add(report)
        return found

    @property
    def objective_seen(self) -> bool:
        """Whether the objective was reported at all, be it without a number."""
        return self.metrics[0] in self._seen

    def observation(self) -> list[dict[str, str]]:
        """Return `status.observation.metrics` of the trial; a metric never reported is `unavailable`.

        When the objective was never reported, Katib stores nothing else either.
        """
        known = self._seen if self.objective_seen else {}
        return [known.get(name, Summary()).entry(name) for name in self.metrics]

    def _text(self, line: str) -> Iterable[Report]:
        if not any(name in line for name in self.metrics):
            return
        time = _time(line.split(" ", 1)[0])
        for pattern in self.filters or (DEFAULT_FILTER,):
            for match in re.finditer(pattern, line, re.ASCII):
                name = (match.group(1) or "").strip()
                value = (match.group(2) or "").strip()
                if name in self.metrics:
                    yield Report(name, value, time)

    def _json(self, line: str) -> Iterable[Report]:
        if not line.strip():
            return
        try:
            document = json.loads(line, parse_constant=_not_json)
        except (ValueError, RecursionError) as error:
            raise BadMetricsFile(f"not JSON: {line[:80]!r}") from error
        if not isinstance(document, dict):
            raise BadMetricsFile(f"not a JSON object: {line[:80]!r}")
        time = _json_time(document.get("timestamp"))
        for name in self.metrics:
            if isinstance(value := document.get(name), str):  # numbers are passed over, as in Katib
                yield Report(name, value, time)


def number(text: str | None) -> float | None:
    """Return a finite number, or None for anything else."""
    try:
        value = float((text or "").replace("_", "?"))  # 1_000 is a number to nobody but Python
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def strategy_value(
    observation: Sequence[Mapping[str, str]], metric: str, strategy: str
) -> float | None:
    """Return a metric's finite value: its strategy's field, or `latest` where that is unavailable."""
    entry: Mapping[str, str] = next((e for e in observation if e.get("name") == metric), {})
    value = entry.get(strategy, UNAVAILABLE)
    return number(entry.get("latest") if value == UNAVAILABLE else value)


def _time(token: str) -> datetime:
    try:
        time = datetime.fromisoformat(token)
    except ValueError:
        return NO_TIME
    if time.tzinfo and "T" in token.upper():
        return time
    return NO_TIME


def _json_time(value: object) -> datetime:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return _time(str(value))
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return NO_TIME


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
