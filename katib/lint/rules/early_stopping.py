"""Rules about early stopping, and about trials that report more than once.

Source: Katib v0.19, pkg/earlystopping/v1beta1/medianstop/service.py; our own early stopping is
`katib.early_stopping`.
"""

from collections.abc import Iterator, Mapping

from katib.document import Document, FieldPath
from katib.lint.rules.experiment import OBJECTIVE
from katib.lint.rules.trial_template import find_primary_container, words_of
from katib.lint.violation import Violation, check_word, list_items
from katib.metrics_collector import number
from katib.search.algorithms import INTEGER

STOPPING: FieldPath = ("spec", "earlyStopping")
RETAIN: FieldPath = ("spec", "trialTemplate", "retain")
COUNT = "an integer of at least 1"
SHARE = "a number from 0"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "medianstop": {"min_trials_required": COUNT, "start_step": COUNT},
    "tunegate": {"min_trials_required": COUNT, "start_step": COUNT, "margin": SHARE},
}
REPORTS_FOLDS = "--report-folds"  # of `python -m trainer`


def check_early_stopping(document: Document) -> Iterator[Violation]:
    """Yield every violation in early stopping and in the reports that it reads."""
    if document.get(*STOPPING) is not None:
        yield from _check_stopping(document)
    yield from _check_running_means(document)


def _check_stopping(document: Document) -> Iterator[Violation]:
    path = (*STOPPING, "algorithmName")
    name = document.get(*path)
    if name not in SETTINGS:
        message = "must be medianstop, which Katib ships, or tunegate, which is ours"
        yield from check_word("K150", path, name, SETTINGS, message)
        return
    if name == "tunegate":
        message = "Katib does not ship it: a cluster refuses it unless katib-config names it"
        fix = "register our service there, see docs/suggestion.md, or use medianstop"
        yield Violation("K255", path, message, fix)
    elif document.get(*RETAIN) is not True:
        message = "each Trial that it stops keeps a place for ever: the Experiment may never end"
        fix = "set spec.trialTemplate.retain: true, or use tunegate"
        yield Violation("K257", RETAIN, message, fix)
    known = SETTINGS[str(name)]
    for at, setting in list_items(document, *STOPPING, "algorithmSettings"):
        setting_name = str(setting.get("name"))
        if setting_name not in known:
            message = f"{setting_name} is not a setting of {name}"
            yield Violation("K221", (*at, "name"), message, f"known: {', '.join(known)}")
        elif not _is_allowed(known[setting_name], str(setting.get("value"))):
            message = f"{setting_name} must be {known[setting_name]}"
            yield Violation("K222", (*at, "value"), message)


def _is_allowed(kind: str, value: str) -> bool:
    if kind == COUNT:
        return bool(INTEGER.fullmatch(value)) and int(value) >= 1
    share = number(value)
    return share is not None and share >= 0


def _check_running_means(document: Document) -> Iterator[Violation]:
    """Check that a trial's last report counts if its reports are means over more and more folds."""
    found = find_primary_container(document)
    if found is None or REPORTS_FOLDS not in " ".join(words_of(document, found[0])).split():
        return
    metric = document.get(*OBJECTIVE, "objectiveMetricName")
    strategies = [
        strategy.get("value")
        for _, strategy in list_items(document, *OBJECTIVE, "metricStrategies")
        if strategy.get("name") == metric
    ]
    if strategies != ["latest"]:
        message = f"its luckiest mean over some of the folds would be each trial's {metric}"
        fix = f"add metricStrategies: [{{ name: {metric}, value: latest }}]"
        yield Violation("K256", OBJECTIVE, message, fix)
