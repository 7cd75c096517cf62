"""What both of Katib's services read in a request: its trials, their order, and lint's errors.

Lint itself checks the document, so that service and lint never disagree.
"""

import re
from collections.abc import Iterable

from katib.document import Document
from katib.lint import lint_document, only_errors
from katib.metrics_collector import number
from katib.objects import JsonObject
from katib.suggestion.memory import read_memory
from katib.suggestion.messages import Message

# Numbers of Katib's enumerations: ObjectiveType, TrialConditionType.
OBJECTIVES = {1: "minimize", 2: "maximize"}
SUCCEEDED = 2
KILLED = 3
FAILED = 4
METRICS_UNAVAILABLE = 5
EARLY_STOPPED = 6
ENDED = frozenset({SUCCEEDED, KILLED, FAILED, METRICS_UNAVAILABLE, EARLY_STOPPED})
LAST_NUMBER = 1 << 62


def in_order(experiment: Message, trials: Iterable[Message]) -> list[Message]:
    """Return the Experiment's trials in the order of asking.

    Katib sends them in any order, together with those of Experiments of the same name in other
    namespaces: these are left out where the names that our service gives, the objective or the
    parameters' names differ.
    """
    memory = read_memory(experiment)
    own = [
        trial
        for trial in trials
        if memory.is_own(experiment.name, trial.name) and _belongs_to(experiment.spec, trial.spec)
    ]
    return sorted(
        own, key=lambda each: asking_order(experiment.name, each.name, each.status.start_time)
    )


def value_of(trial: Message, metric: str) -> float | None:
    """Return a metric's finite value, or None; Katib chose it by the metric's strategy."""
    metrics = trial.status.observation.metrics
    return next((number(m.value) for m in metrics if m.name == metric), None)


def lint_errors(spec: JsonObject, within: tuple[str, ...]) -> list[str]:
    """Return lint's errors about these fields of an Experiment's `spec`, a sentence each."""
    findings = only_errors(lint_document(Document("request", {"kind": "Experiment", "spec": spec})))
    found = [
        f
        for f in findings
        if f.field.startswith(within) and not (f.for_local_only or f.for_cluster_only)
    ]
    return [f"{f.field}: {f.message}" + (f" ({f.fix})" if f.fix else "") for f in found]


def _belongs_to(ours: Message, theirs: Message) -> bool:
    objective = ours.objective
    other = theirs.objective
    if other.objective_metric_name and (other.objective_metric_name, other.type) != (
        objective.objective_metric_name,
        objective.type,
    ):
        return False
    names = {parameter.name for parameter in ours.parameter_specs.parameters}
    # A search for a network's architecture declares no parameters.
    return not names or names == {each.name for each in theirs.parameter_assignments.assignments}


def asking_order(experiment: str, trial: str, start_time: str = "") -> tuple[int, str, str]:
    """Return a sort key: names that our service gives carry a number; others go by time."""
    match = re.fullmatch(rf"{re.escape(experiment)}-([0-9]{{1,18}})-[a-z0-9]+", trial)
    number = int(match[1]) if match else LAST_NUMBER
    return (number, start_time, trial)
