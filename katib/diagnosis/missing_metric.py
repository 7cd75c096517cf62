"""Why a trial's output holds no objective: compare its lines with what the parser looks for."""

import json
import re
from collections.abc import Sequence

from katib.metrics_collector import BadMetricsFile, MetricsReader, number

WIDTH = 100  # of a line in a message
# After the name: `mse: 0.5`, `'mse': 0.5`, `mse 0.5`.
SEPARATED = re.compile(r"^\W{0,3}([:=>\s-]{1,4})\s*[+-]?[\d.]")


def why_no_metric(
    lines: Sequence[str], metric: str, *, filters: Sequence[str] = (), as_json: bool = False
) -> str:
    """Return in one sentence why these lines hold no number of a metric; empty if they do.

    Args:
        lines: a trial's output, or its metrics file.
        metric: the objective's name.
        filters: the collector's regular expressions, Katib's default if empty.
        as_json: whether the collector reads JSON.
    """
    written = [line for line in lines if line.strip()]
    if not written:
        return "it printed nothing"
    if as_json:
        return _explain_json(written, metric)
    return _explain_text(written, metric, filters)


def _explain_text(written: Sequence[str], metric: str, filters: Sequence[str]) -> str:
    named = [line for line in written if metric in line]
    reader = MetricsReader((metric,), tuple(filters))
    values = [(line, report.value) for line in named for report in reader.feed(line)]
    if any(number(value) is not None for _, value in values):
        return ""
    if values:
        return f"its line {_quote_line(values[-1][0])} has no finite number after `{metric}=`"
    if not named:
        return _explain_unnamed(written, metric)
    line = _quote_line(named[-1])
    if filters:
        return f"no filter of metricsFormat matches its line {line}"
    after = named[-1][named[-1].rfind(metric) + len(metric) :]
    found = SEPARATED.match(after)
    reason = f"only `{metric}=<number>` is read"
    if not found or "=" in found.group(1):
        reason = f"not as a name of its own in front of `=<number>`; {reason}"
    return f"its line {line} names {metric}, but {reason}"


def _explain_unnamed(written: Sequence[str], metric: str) -> str:
    for line in reversed(written):
        if metric.lower() in line.lower():
            shown = _quote_line(line)
            return f"its line {shown} writes {metric} in other letters; upper and lower case count"
    last = _quote_line(written[-1])
    return f"none of its {len(written)} lines names {metric}; the last is {last}"


def _explain_json(written: Sequence[str], metric: str) -> str:
    for line in written:
        try:
            MetricsReader((metric,), json_lines=True).feed(line)
        except BadMetricsFile as error:
            return str(error)
    objects = [json.loads(line) for line in written]
    values = [item[metric] for item in objects if metric in item]
    if any(isinstance(value, str) and number(value) is not None for value in values):
        return ""
    if not values:
        return f"none of its {len(written)} lines has the key {metric}"
    if isinstance(values[-1], str):
        return f"its value {values[-1]!r} of {metric} is not a finite number"
    shown = json.dumps(values[-1])
    return f"it writes {metric} as {shown}; Katib reads only text, so write it in quotation marks"


def _quote_line(line: str) -> str:
    text = line.strip()
    if len(text) > WIDTH:
        text = text[: WIDTH - 1] + "…"
    return repr(text)
