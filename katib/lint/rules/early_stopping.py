"""Rules about early stopping, and about trials that report more than once.

Source: Katib v0.19, pkg/earlystopping/v1beta1/medianstop/service.py; our own: katib/early_stopping.py.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from katib.document import Document, FieldPath
from katib.lint.problem import Problem, items, one_of
from katib.lint.rules.trial_template import POD_SPEC, TEMPLATE
from katib.metrics_collector import number
from katib.search.algorithms import INTEGER

PATH: FieldPath = ("spec", "earlyStopping")
OBJECTIVE: FieldPath = ("spec", "objective")
COUNT = "an integer of at least 1"
SHARE = "a number from 0"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "medianstop": {"min_trials_required": COUNT, "start_step": COUNT},
    "tunegate": {"min_trials_required": COUNT, "start_step": COUNT, "margin": SHARE},
}
REPORTS_FOLDS = "--report-folds"  # of `python -m trainer`


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of stopping and of its reports."""
    if document.get(*PATH) is not None:
        yield from _algorithm(document)
    yield from _running_means(document)


def _algorithm(document: Document) -> Iterator[Problem]:
    at = (*PATH, "algorithmName")
    name = document.get(*PATH, "algorithmName")
    if name not in SETTINGS:
        message = "must be medianstop, which Katib brings, or tunegate, which is ours"
        yield from one_of("K150", at, name, SETTINGS, message)
        return
    if name == "tunegate":
        message = (
            "is not what Katib brings: a cluster refuses it where katib-config does not name it"
        )
        yield Problem(
            "K255",
            at,
            message,
            "register our service there, see docs/suggestion.md, or use medianstop",
        )
    known = SETTINGS[str(name)]
    for path, setting in items(document, *PATH, "algorithmSettings"):
        wanted = str(setting.get("name"))
        value = str(setting.get("value"))
        if wanted not in known:
            message = f"{wanted} is not a setting of {name}"
            yield Problem("K221", (*path, "name"), message, f"known: {', '.join(known)}")
        elif not _allowed(known[wanted], value):
            yield Problem("K222", (*path, "value"), f"{wanted} must be {known[wanted]}")


def _allowed(what: str, value: str) -> bool:
    if what == COUNT:
        return bool(INTEGER.fullmatch(value)) and int(value) >= 1
    found = number(value)
    return found is not None and found >= 0


def _running_means(document: Document) -> Iterator[Problem]:
    """Say that a trial's last report counts, where its reports are means over more and more folds."""
    metric = document.get(*OBJECTIVE, "objectiveMetricName")
    primary = document.get(*TEMPLATE, "primaryContainerName")
    strategies = [
        s.get("value")
        for _, s in items(document, *OBJECTIVE, "metricStrategies")
        if s.get("name") == metric
    ]
    for _, container in items(document, *POD_SPEC, "containers"):
        parts = [container.get(name) for name in ("command", "args")]
        words = " ".join(
            map(str, chain.from_iterable(part for part in parts if isinstance(part, list)))
        ).split()
        if container.get("name") == primary and REPORTS_FOLDS in words and strategies != ["latest"]:
            message = f"its luckiest mean over some of the folds would be each trial's {metric}"
            fix = f"add metricStrategies: [{{ name: {metric}, value: latest }}]"
            yield Problem("K256", OBJECTIVE, message, fix)
