"""Rules about the metrics collector, and about what it can find. Sources as in `katib.lint.rules.experiment`."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.problem import Problem, one_of, unknown_fields
from katib.metrics_collector import number

COLLECTORS = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
LOCAL_COLLECTORS = ("StdOut", "File")
STOPPING = ("StdOut", "File")
UNCHECKED = ("StdOut", "Push")  # the webhook looks at the filters of the others only
PATH: FieldPath = ("spec", "metricsCollectorSpec")
SOURCE: FieldPath = (*PATH, "source")
FILE: FieldPath = (*SOURCE, "fileSystemPath")
KINDS = {"File": ("File",), "TensorFlowEvent": ("Directory",), "Custom": ("File", "Directory")}
METRIC = re.compile(r"[\w|-]+", re.ASCII)
# What Python's regular expressions have and Go's do not: looking around, back references, possessive and atomic groups.
PYTHON_ONLY = re.compile(
    r"\(\?<?[=!]|\(\?>|\(\?P=|\(\?\(|\(\?#|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+|\\Z"
)
GO_ONLY = re.compile(
    r"\\[pPQzCE]|\\x\{|\[\[:\^?\w+:\]|\(\?[imsU]*-?[imsU]+\)|\(\?[imsU-]*U[imsU-]*:|\(\?<\w"
)


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of `metricsCollectorSpec`."""
    kind = document.get(*PATH, "collector", "kind", default="StdOut")
    yield from unknown_fields(document, PATH, ("collector", "source"), "K201")
    yield from unknown_fields(document, (*PATH, "collector"), ("kind", "customCollector"), "K201")
    yield from unknown_fields(document, SOURCE, ("fileSystemPath", "filter", "httpGet"), "K201")
    yield from unknown_fields(document, FILE, ("path", "kind", "format"), "K201")
    yield from unknown_fields(document, (*SOURCE, "filter"), ("metricsFormat",), "K201")
    if kind not in COLLECTORS:
        message = f"must be one of {', '.join(COLLECTORS)}" + (
            ": None is called Push now" if kind == "None" else ""
        )
        yield from one_of("K160", (*PATH, "collector", "kind"), kind, COLLECTORS, message)
        return
    if kind not in LOCAL_COLLECTORS:
        yield Problem(
            "K303",
            (*PATH, "collector", "kind"),
            f"{kind} is not read locally",
            "use StdOut or File",
        )
    for rule in (_file, _custom, _prometheus, _filters, _names, _stopping):
        yield from rule(document, str(kind))


def _file(document: Document, kind: str) -> Iterator[Problem]:
    path = document.get(*FILE, "path")
    if kind not in KINDS or (kind == "Custom" and document.get(*FILE) is None):
        return
    if (path or kind == "Custom") and not str(path).startswith("/"):
        yield Problem("K161", (*FILE, "path"), "must be an absolute path")
    found = document.get(*FILE, "kind")
    wanted = KINDS[kind]
    if found or kind == "Custom":
        yield from one_of(
            "K164", (*FILE, "kind"), found, wanted, f"must be {' or '.join(wanted)} for {kind}"
        )
    form = document.get(*FILE, "format")
    if kind == "TensorFlowEvent" and form:
        yield Problem(
            "K167", (*FILE, "format"), "must be empty for TensorFlowEvent", "leave it out"
        )
    if kind == "File" and form:
        yield from one_of("K167", (*FILE, "format"), form, ("TEXT", "JSON"))


def _custom(document: Document, kind: str) -> Iterator[Problem]:
    if kind == "Custom" and document.get(*PATH, "collector", "customCollector") is None:
        yield Problem(
            "K166",
            (*PATH, "collector"),
            "customCollector is missing",
            "add the collector's container",
        )


def _prometheus(document: Document, kind: str) -> Iterator[Problem]:
    if kind != "PrometheusMetric":
        return
    yield Problem(
        "K215",
        (*PATH, "collector", "kind"),
        "no katib-config that Katib ships names an image for it",
    )
    get: Any = document.get(*SOURCE, "httpGet", default={})
    port = get.get("port", 8080)
    if isinstance(port, bool) or not str(port).isdecimal() or int(port) == 0:
        yield Problem(
            "K165", (*SOURCE, "httpGet", "port"), f"must be a number above 0, is {port!r}"
        )
    if get.get("path") and not str(get["path"]).startswith("/"):
        yield Problem("K165", (*SOURCE, "httpGet", "path"), "must begin with /")


def _filters(document: Document, kind: str) -> Iterator[Problem]:
    if (
        document.get(*SOURCE, "filter") is not None
        and document.get(*FILE, "format") == "JSON"
        and kind == "File"
    ):
        yield Problem("K162", (*SOURCE, "filter"), "is not for the format JSON", "leave it out")
    for index, pattern in enumerate(document.get(*SOURCE, "filter", "metricsFormat", default=[])):
        yield from _filter((*SOURCE, "filter", "metricsFormat", index), str(pattern), kind)


def _filter(path: FieldPath, pattern: str, kind: str) -> Iterator[Problem]:
    # For StdOut the webhook does not look; a bad filter then reaches the collector, which stops.
    code = "K211" if kind in UNCHECKED else "K163"
    if ";" in pattern:
        yield Problem("K212", path, "a ';' splits the filter in two on its way to the collector")
    try:
        with warnings.catch_warnings(action="ignore"):
            groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        if GO_ONLY.search(pattern):
            yield Problem("K312", path, f"only Go reads this regular expression: {error}")
        else:
            yield Problem(code, path, f"not a regular expression: {error}")
        return
    if found := PYTHON_ONLY.search(pattern):
        yield Problem(code, path, f"Go's regular expressions have no {found[0]}")
    if groups < 2:  # noqa: PLR2004 - name and value
        yield Problem(code, path, f"needs two groups, name and value, has {groups}")


def _names(document: Document, kind: str) -> Iterator[Problem]:
    is_text = kind == "StdOut" or (kind == "File" and document.get(*FILE, "format") != "JSON")
    if not is_text or document.get(*SOURCE, "filter", "metricsFormat"):
        return
    objective: FieldPath = ("spec", "objective")
    places = [(*objective, "objectiveMetricName")]
    places += [
        (*objective, "additionalMetricNames", i)
        for i in range(len(document.get(*objective, "additionalMetricNames", default=[])))
    ]
    for path in places:
        name = str(document.get(*path, default=""))
        if name and not METRIC.fullmatch(name):
            fix = "name it with letters, digits, _, - and | alone, or write a metricsFormat"
            yield Problem("K214", path, f"{name} can never be found in the output", fix)
        elif name and number(name) is not None:
            yield Problem(
                "K214", path, f"{name} is read as a value, not as a name", "name it with letters"
            )


def _stopping(document: Document, kind: str) -> Iterator[Problem]:
    if document.get("spec", "earlyStopping") is not None and kind not in STOPPING:
        yield Problem("K216", ("spec", "earlyStopping"), f"has no effect with the collector {kind}")
