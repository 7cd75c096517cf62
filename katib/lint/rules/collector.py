"""Rules about the metrics collector, and about what it can find in a trial's output.

Sources as in `katib.lint.rules.experiment`.
"""

import re
import warnings
from collections.abc import Iterator

from katib.document import Document, FieldPath
from katib.lint.rules.experiment import OBJECTIVE
from katib.lint.violation import Violation, check_word, unknown_fields
from katib.metrics_collector import number
from katib.objects import JsonObject

COLLECTORS = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
READ_BY_LINE = ("StdOut", "File")  # only these can stop a trial
LOCAL_COLLECTORS = (*READ_BY_LINE, "Push")
UNCHECKED = ("StdOut", "Push")  # the webhook checks the filters of the others only
COLLECTOR: FieldPath = ("spec", "metricsCollectorSpec")
KIND: FieldPath = (*COLLECTOR, "collector", "kind")
SOURCE: FieldPath = (*COLLECTOR, "source")
METRICS_FILE: FieldPath = (*SOURCE, "fileSystemPath")
FILTERS: FieldPath = (*SOURCE, "filter", "metricsFormat")
FIELDS: dict[FieldPath, tuple[str, ...]] = {
    COLLECTOR: ("collector", "source"),
    (*COLLECTOR, "collector"): ("kind", "customCollector"),
    SOURCE: ("fileSystemPath", "filter", "httpGet"),
    METRICS_FILE: ("path", "kind", "format"),
    (*SOURCE, "filter"): ("metricsFormat",),
}
PATH_KINDS = {
    "File": ("File",),
    "TensorFlowEvent": ("Directory",),
    "Custom": ("File", "Directory"),
}
GROUPS = 2  # of a filter: name and value
NUMBERS = ("0.5", "1e-05", "-3")  # as programs print them
WHOLE_NUMBER = r"([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
FLAGS = re.compile(r"\(\?[ims]+\)")  # in front of the whole pattern
METRIC = re.compile(r"[\w|-]+", re.ASCII)
# What Python's regular expressions have and Go's do not: lookaround, back references, possessive
# and atomic groups.
PYTHON_ONLY = re.compile(
    r"\(\?<?[=!]|\(\?>|\(\?P=|\(\?\(|\(\?#|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+|\\Z"
)
GO_ONLY = re.compile(
    r"\\[pPQzCE]|\\x\{|\[\[:\^?\w+:\]|\(\?[imsU]*-?[imsU]+\)|\(\?[imsU-]*U[imsU-]*:|\(\?<\w"
)
POSIX_CLASS = re.compile(r"\[[^]]*\[:\^?[a-z]+:\]")  # Python reads it as a list of characters
SEPARATORS = ("=", ":", ": ", " = ", " ")  # between a name and a value, as programs print them


def check_collector(document: Document) -> Iterator[Violation]:
    """Yield every violation in `metricsCollectorSpec`."""
    for path, known in FIELDS.items():
        yield from unknown_fields(document, path, known)
    kind = str(document.get(*KIND, default="StdOut"))
    if kind not in COLLECTORS:
        message = f"must be one of {', '.join(COLLECTORS)}"
        if kind == "None":
            message += ": None is called Push now"
        yield from check_word("K160", KIND, kind, COLLECTORS, message)
        return
    if kind not in LOCAL_COLLECTORS:
        yield Violation("K303", KIND, f"{kind} is not read locally", "use StdOut, File or Push")
    yield from _check_metrics_file(document, kind)
    if kind == "Custom" and document.get(*COLLECTOR, "collector", "customCollector") is None:
        path = (*COLLECTOR, "collector")
        fix = "add the collector's container"
        yield Violation("K166", path, "customCollector is missing", fix)
    if kind == "PrometheusMetric":
        yield from _check_prometheus(document)
    yield from _check_filters(document, kind)
    yield from _check_metric_names(document, kind)
    if document.get("spec", "earlyStopping") is not None and kind not in READ_BY_LINE:
        message = f"has no effect with the collector {kind}"
        yield Violation("K216", ("spec", "earlyStopping"), message)


def _check_metrics_file(document: Document, kind: str) -> Iterator[Violation]:
    file = document.get(*METRICS_FILE)
    if kind not in PATH_KINDS or (kind == "Custom" and file is None):
        return
    path = document.get(*METRICS_FILE, "path")
    if (path or kind == "Custom") and not str(path).startswith("/"):
        yield Violation("K161", (*METRICS_FILE, "path"), "must be an absolute path")
    path_kind = document.get(*METRICS_FILE, "kind")
    if path_kind or kind == "Custom":
        message = f"must be {' or '.join(PATH_KINDS[kind])} for {kind}"
        at = (*METRICS_FILE, "kind")
        yield from check_word("K164", at, path_kind, PATH_KINDS[kind], message)
    file_format = document.get(*METRICS_FILE, "format")
    at = (*METRICS_FILE, "format")
    if kind == "TensorFlowEvent" and file_format:
        yield Violation("K167", at, "must be empty for TensorFlowEvent", "leave it out")
    if kind == "File" and file_format:
        yield from check_word("K167", at, file_format, ("TEXT", "JSON"))


def _check_prometheus(document: Document) -> Iterator[Violation]:
    yield Violation("K215", KIND, "no katib-config that Katib ships names an image for it")
    request: JsonObject = document.get(*SOURCE, "httpGet", default={})
    port = request.get("port", 8080)
    if isinstance(port, bool) or not str(port).isdecimal() or int(port) == 0:
        message = f"must be a number above 0, is {port!r}"
        yield Violation("K165", (*SOURCE, "httpGet", "port"), message)
    if request.get("path") and not str(request["path"]).startswith("/"):
        yield Violation("K165", (*SOURCE, "httpGet", "path"), "must begin with /")


def _check_filters(document: Document, kind: str) -> Iterator[Violation]:
    is_json = kind == "File" and document.get(*METRICS_FILE, "format") == "JSON"
    if is_json and document.get(*SOURCE, "filter") is not None:
        message = "is not allowed with the format JSON"
        yield Violation("K162", (*SOURCE, "filter"), message, "leave it out")
    patterns = [str(pattern) for pattern in document.get_list(*FILTERS)]
    for index, pattern in enumerate(patterns):
        yield from _check_filter((*FILTERS, index), pattern, kind)
    if patterns and kind in READ_BY_LINE and not is_json:
        yield from _check_what_filters_read(document, patterns)


def _check_what_filters_read(document: Document, patterns: list[str]) -> Iterator[Violation]:
    """Check that the filters find the metrics' names, and take numbers whole."""
    if document.get("spec", "nasConfig") is not None:
        return  # its metric may be an architecture
    groups = [_capturing_groups(pattern) for pattern in patterns]
    metric = str(document.get(*OBJECTIVE, "objectiveMetricName", default=""))
    others = document.get_list(*OBJECTIVE, "additionalMetricNames")
    metrics = [metric, *(str(name) for name in others)]
    known = [found for found in groups if len(found) >= GROUPS]
    if len(known) < len(groups) or not metric or any(map(POSIX_CLASS.search, patterns)):
        return  # another rule says why
    for index, (name, value) in enumerate(found[:GROUPS] for found in groups):
        path = (*FILTERS, index)
        if not any(_takes(name, each) for each in metrics):
            message = f"its first group, the name, can never be {' or '.join(metrics)}"
            yield Violation(
                "K219", path, message, "the first group is the name, the second the value"
            )
        elif cut := [
            number
            for number in NUMBERS
            if not _takes(value, number) or _cuts(patterns[index], metrics, number)
        ]:
            message = f"its second group does not take {', '.join(cut)} whole: it is cut or missed"
            yield Violation("K219", path, message, f"write {WHOLE_NUMBER} for the value")
    if any(_takes(name, each) for name, *_ in groups for each in metrics) and not any(
        _takes(name, metric) for name, *_ in groups
    ):
        yield Violation("K219", FILTERS, f"no filter finds the objective {metric}")


def _takes(group: str, text: str) -> bool:
    """Whether a group can match a text; Katib takes spaces off it."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return any(re.fullmatch(group, f"{s}{text}{s}", re.ASCII) for s in ("", " "))
        except (re.error, RecursionError, OverflowError):
            return True  # not a piece that stands alone


def _cuts(pattern: str, metrics: list[str], number: str) -> bool:
    """Whether a filter finds a metric, and never takes the whole number behind it."""
    with warnings.catch_warnings(action="ignore"):
        try:
            compiled = re.compile(pattern, re.ASCII)
        except (re.error, RecursionError, OverflowError):
            return False  # another rule says why
    lines = [f"{metric}{separator}{number}" for metric in metrics for separator in SEPARATORS]
    reports = [found.groups("") for found in map(compiled.search, lines) if found]
    taken = [value.strip() for name, value, *_ in reports if name.strip() in metrics]
    return bool(taken) and number not in taken


def _capturing_groups(pattern: str) -> list[str]:
    """Return the source of each capturing group, in the order of their numbers."""
    found: list[tuple[int, str]] = []
    opened: list[tuple[int, bool]] = []
    in_class = False
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            position += pattern[position + 1 : position + 2] == "^"
            position += pattern[position + 1 : position + 2] == "]"
        elif character == "(":
            is_named = pattern.startswith(("(?P<", "(?<"), position)
            captures = is_named or not pattern.startswith("(?", position)
            opened.append((position, captures))
        elif character == ")" and opened:
            start, captures = opened.pop()
            if captures:
                found.append((start, pattern[start : position + 1]))
        position += 1
    flags = FLAGS.match(pattern)
    return [f"{flags[0] if flags else ''}{source}" for _, source in sorted(found)]


def _check_filter(path: FieldPath, pattern: str, kind: str) -> Iterator[Violation]:
    # For StdOut the webhook checks no filter; a bad one then stops the collector.
    code = "K211" if kind in UNCHECKED else "K163"
    if ";" in pattern:
        message = "a ';' splits the filter in two on its way to the collector"
        yield Violation("K212", path, message)
    if found := POSIX_CLASS.search(pattern):
        yield Violation("K312", path, f"only Go reads {found[0]}]", r"write [a-zA-Z] or \w")
        return
    try:
        with warnings.catch_warnings(action="ignore"):
            groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        if GO_ONLY.search(pattern):
            yield Violation("K312", path, f"only Go reads this regular expression: {error}")
        else:
            yield Violation(code, path, f"not a regular expression: {error}")
        return
    if found := PYTHON_ONLY.search(pattern):
        yield Violation(code, path, f"Go's regular expressions have no {found[0]}")
    if groups < GROUPS:
        yield Violation(code, path, f"needs two groups, name and value, has {groups}")


def _check_metric_names(document: Document, kind: str) -> Iterator[Violation]:
    is_json = document.get(*METRICS_FILE, "format") == "JSON"
    if document.get(*FILTERS) or not (kind == "StdOut" or (kind == "File" and not is_json)):
        return
    additional = document.get_list(*OBJECTIVE, "additionalMetricNames")
    paths: list[FieldPath] = [(*OBJECTIVE, "objectiveMetricName")]
    paths += [(*OBJECTIVE, "additionalMetricNames", index) for index in range(len(additional))]
    for path in paths:
        name = str(document.get(*path, default=""))
        if name and not METRIC.fullmatch(name):
            fix = "name it with letters, digits, _, - and | alone, or write a metricsFormat"
            yield Violation("K214", path, f"{name} can never be found in the output", fix)
        elif name and number(name) is not None:
            message = f"{name} is read as a value, not as a name"
            yield Violation("K214", path, message, "name it with letters")
