"""Read metrics from a trial's output exactly as Katib's file metrics collector does.

Source: Katib v0.19, pkg/metricscollector/v1beta1 (file-metricscollector, common/const.go), with its surprises:
`mse=nan` is a report without a value, `val/mse=0.4` counts as `mse`, `1,234` is 1, and a line takes part when it
contains a wanted name anywhere.
"""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

UNAVAILABLE = "unavailable"
DEFAULT_FILTER = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
NO_TIME = "0001-01-01T00:00:00+00:00"


class BadMetricsFile(Exception):
    """The collector would stop with an error, and the trial's pod would fail with it."""


@dataclass(frozen=True, slots=True)
class Report:
    """One reported value, as text; empty when the filter matched a name without a number."""

    metric: str
    value: str
    time: datetime


@dataclass(slots=True)
class MetricsReader:
    """Collects reports line by line, in constant memory a line.

    Attributes:
        metrics: wanted names, the objective first.
        filters: regular expressions with two groups, name and value; Katib's default where empty.
        json_lines: whether the format is JSON, one object a line, instead of TEXT.
    """

    metrics: tuple[str, ...]
    filters: tuple[str, ...] = ()
    json_lines: bool = False
    reports: list[Report] = field(default_factory=list)

    def feed(self, line: str) -> list[Report]:
        """Take one line; return what it reported.

        Raises:
            BadMetricsFile: when a line of a JSON file is not JSON.
        """
        found = list(self._json(line) if self.json_lines else self._text(line))
        self.reports.extend(found)
        return found

    def observation(self, strategies: Iterable[str] = ()) -> list[dict[str, str]]:
        """Return `status.observation.metrics` of the trial; a metric never reported is `unavailable`.

        When the objective was never reported, Katib stores nothing else either.
        """
        names = tuple(strategies) or self.metrics
        objective_seen = any(report.metric == self.metrics[0] for report in self.reports)
        return [summarize(name, self.reports if objective_seen else ()) for name in names]

    def _text(self, line: str) -> Iterable[Report]:
        if not any(name in line for name in self.metrics):
            return
        time = _time(line.split(" ", 1)[0])
        for pattern in self.filters or (DEFAULT_FILTER,):
            for match in re.finditer(pattern, line, re.ASCII):
                name, value = (match.group(1) or "").strip(), (match.group(2) or "").strip()
                if name in self.metrics:
                    yield Report(name, value, time)

    def _json(self, line: str) -> Iterable[Report]:
        if not line.strip():
            return
        try:
            document = json.loads(line)
        except ValueError as error:
            raise BadMetricsFile(f"not JSON: {line[:80]!r}") from error
        if not isinstance(document, dict):
            raise BadMetricsFile(f"not a JSON object: {line[:80]!r}")
        time = _json_time(document.get("timestamp"))
        for name in self.metrics:
            if isinstance(value := document.get(name), str):  # numbers are passed over, as in Katib
                yield Report(name, value, time)


def summarize(metric: str, reports: Sequence[Report]) -> dict[str, str]:
    """Return an observation's entry: min and max of the numbers, `latest` by time; empty values are left out."""
    mine = [report for report in reports if report.metric == metric]
    if not mine:
        return {"name": metric, "min": UNAVAILABLE, "max": UNAVAILABLE, "latest": UNAVAILABLE}
    numbers = [report.value for report in mine if number(report.value) is not None]
    latest = max(enumerate(mine), key=lambda pair: (pair[1].time, pair[0]))[1].value
    entry = {
        "name": metric,
        "min": min(numbers, key=float, default=UNAVAILABLE),
        "max": max(numbers, key=float, default=UNAVAILABLE),
        "latest": latest,
    }
    return {key: value for key, value in entry.items() if value}


def number(text: str | None) -> float | None:
    """Return a finite number, or None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def objective_value(observation: Sequence[dict[str, str]], metric: str, strategy: str) -> float | None:
    """Return the value a trial is compared by: its strategy's field, or `latest` where that is unavailable."""
    entry = next((entry for entry in observation if entry.get("name") == metric), {})
    value = entry.get(strategy, UNAVAILABLE)
    return number(entry.get("latest") if value == UNAVAILABLE else value)


def _time(token: str) -> datetime:
    try:
        time = datetime.fromisoformat(token)
    except ValueError:
        return datetime.fromisoformat(NO_TIME)
    return time if time.tzinfo and "T" in token.upper() else datetime.fromisoformat(NO_TIME)


def _json_time(value: object) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=datetime.fromisoformat(NO_TIME).tzinfo)
    return _time(str(value))
