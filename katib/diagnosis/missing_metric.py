"""Why a trial's output held no objective: what its lines say, beside what the parser looks for."""

import json
import re
from collections.abc import Sequence

from katib.metrics_collector import BadMetricsFile, MetricsReader, number

WIDTH = 100  # of a line in a message
SEPARATED = re.compile(
    r"^\W{0,3}([:=>\s-]{1,4})\s*[+-]?[\d.]"
)  # `mse: 0.5`, `'mse': 0.5`, `mse 0.5`


def why_no_metric(
    lines: Sequence[str], metric: str, *, filters: Sequence[str] = (), as_json: bool = False
) -> str:
    """Return in one sentence why these lines hold no number of a metric; empty where they do.

    Args:
        lines: a trial's output, or its metrics file.
        metric: the objective's name.
        filters: the collector's regular expressions, Katib's default where empty.
        as_json: whether the collector reads JSON.
    """
    written = [line for line in lines if line.strip()]
    if not written:
        return "it printed nothing"
    if as_json:
        return _of_json(written, metric)
    return _of_text(written, metric, filters)


def _of_text(written: Sequence[str], metric: str, filters: Sequence[str]) -> str:
    named = [line for line in written if metric in line]
    reader = MetricsReader((metric,), tuple(filters))
    values = [(line, report.value) for line in named for report in reader.feed(line)]
    if any(number(value) is not None for _, value in values):
        return ""
    if values:
        return f"its line {_quoted(values[-1][0])} has no finite number after `{metric}=`"
    if not named:
        return _unnamed(written, metric)
    if filters:
        return f"no filter of metricsFormat matches its line {_quoted(named[-1])}"
    return f"its line {_quoted(named[-1])} names {metric}, but {_shape(named[-1], metric)}"


def _unnamed(written: Sequence[str], metric: str) -> str:
    other = next((line for line in reversed(written) if metric.lower() in line.lower()), None)
    if other:
        return f"its line {_quoted(other)} writes {metric} in other letters; upper and lower case count"
    return f"none of its {len(written)} lines names {metric}; the last is {_quoted(written[-1])}"


def _shape(line: str, metric: str) -> str:
    after = line[line.rfind(metric) + len(metric) :]
    found = SEPARATED.match(after)
    if found and "=" not in found.group(1):
        return f"only `{metric}=<number>` is read"
    return f"not as a name of its own in front of `=<number>`; only `{metric}=<number>` is read"


def _of_json(written: Sequence[str], metric: str) -> str:
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
        return f"its value {values[-1]!r} of {metric} is no finite number"
    return f"it writes {metric} as {json.dumps(values[-1])}; Katib reads only text, so write it in quotation marks"


def _quoted(line: str) -> str:
    text = line.strip()
    return repr(text if len(text) <= WIDTH else text[: WIDTH - 1] + "…")
