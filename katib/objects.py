"""Read Katib's objects: Experiments, Trials and Suggestions as plain dicts.

A cluster's objects and the local engine's have the same shape, so both are read here.
`currentOptimalTrial` is not trusted: in Katib v0.19 a trial without a number can become it, an
early-stopped trial may be it though it left no finished model, and one that ends after the
Experiment is never considered. `rank` takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from katib.metrics_collector import UNAVAILABLE, strategy_value
from katib.trial import FINISHED

JsonValue = Any  # whatever JSON or YAML gives
JsonObject = dict[str, Any]
KatibObject = Mapping[str, Any]  # an object of Katib's or Kubernetes', or a part of it, to read
EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial that may become the candidate, and the objective by which it is ranked."""

    trial: str
    experiment: str
    value: float
    assignments: dict[str, str]


def last_condition(item: KatibObject) -> Mapping[str, str]:
    """Return an object's last condition that holds; empty before there is one.

    Conditions move to the end when they change. `Restarting` stays true for good, in front of what
    came after it.
    """
    conditions = item.get("status", {}).get("conditions") or ()
    return next((each for each in reversed(conditions) if each.get("status") == "True"), {})


def state(item: KatibObject) -> str:
    """Return the type of an object's last condition that holds, "Created" before there is one."""
    return str(last_condition(item).get("type", "Created"))


def message(item: KatibObject) -> str:
    """Return the message of an object's last condition that holds; empty without one."""
    return str(last_condition(item).get("message", ""))


def reason(item: KatibObject) -> str:
    """Return the reason of an object's last condition that holds; empty without one."""
    return str(last_condition(item).get("reason", ""))


def is_finished(item: KatibObject) -> bool:
    """Whether an Experiment or a Trial has ended; Trials may outlive their Experiment."""
    return state(item) in FINISHED


def count_states(trials: Sequence[KatibObject]) -> dict[str, int]:
    """Return how many trials are in each state, in the order in which the states first appear."""
    states = [state(trial) for trial in trials]
    return {each: states.count(each) for each in dict.fromkeys(states)}


def assignments(trial: KatibObject) -> dict[str, str]:
    """Return a Trial's hyperparameters by name, as the text that its command was given."""
    return {pair["name"]: pair["value"] for pair in trial["spec"]["parameterAssignments"]}


def objective_name(item: KatibObject) -> str:
    """Return the name of the objective's metric of an Experiment or a Trial."""
    return str(item["spec"]["objective"]["objectiveMetricName"])


def objective_value(trial: KatibObject) -> float | None:
    """Return a Trial's finite objective, or None; whatever the Trial's state is."""
    return metric_value(trial, objective_name(trial))


def has_observation(trial: KatibObject) -> bool:
    """Whether Katib counts a Trial as one whose objective it knows, be it a number or not."""
    status = trial.get("status") or {}
    metrics = (status.get("observation") or {}).get("metrics") or ()
    objective = objective_name(trial)
    return any(
        entry.get("name") == objective and entry.get("latest") != UNAVAILABLE for entry in metrics
    )


def metric_value(trial: KatibObject, metric: str) -> float | None:
    """Return the finite value by which a Trial's metric is compared; None without one."""
    metrics = trial.get("status", {}).get("observation", {}).get("metrics") or ()
    return strategy_value(metrics, metric, metric_strategy(trial["spec"]["objective"], metric))


def metric_strategy(objective: KatibObject, metric: str) -> str:
    """Return which of min, max and latest a metric is compared by, given `spec.objective`."""
    default = "min" if objective["type"] == "minimize" else "max"
    named = {each["name"]: each["value"] for each in objective.get("metricStrategies") or ()}
    return str(named.get(metric, default))


def rank(trials: Sequence[KatibObject]) -> list[Ranked]:
    """Rank Succeeded trials with a finite objective, best first; empty where there is none.

    Equals are ordered by name, so that the order is always the same.

    Args:
        trials: Trial objects; objective, direction and strategy are read from each one's own spec.
    """
    ranked: list[tuple[float, str, Ranked]] = []
    for trial in trials:
        if state(trial) != "Succeeded":
            continue
        value = objective_value(trial)
        if value is None:
            continue
        metadata = trial["metadata"]
        experiment = metadata.get("labels", {}).get(EXPERIMENT_LABEL, "")
        entry = Ranked(metadata["name"], experiment, value, assignments(trial))
        minimize = trial["spec"]["objective"]["type"] == "minimize"
        ranked.append((value if minimize else -value, entry.trial, entry))
    return [entry for *_, entry in sorted(ranked, key=lambda item: item[:2])]
