"""Choose the candidate from Trial objects, Katib's own or the local engine's.

`currentOptimalTrial` is not trusted: in Katib v0.19 a trial without a number can become it, an early-stopped trial may
be it though it left no finished model, and one that ends after the Experiment is never considered.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promote.errors import NoCandidate


@dataclass(frozen=True, slots=True)
class Ranked:
    """A trial that may become the candidate, and the objective by which it is ranked."""

    trial: str
    experiment: str
    value: float
    assignments: dict[str, str]


def rank(trials: Sequence[Mapping[str, Any]]) -> list[Ranked]:
    """Rank Succeeded trials with a finite objective, best first; equals by name, so that the order is always the same.

    Args:
        trials: Trial objects; objective, direction and strategy are read from each one's own spec.

    Raises:
        NoCandidate: when there is none.
    """
    ranked = [
        (key, entry)
        for trial in trials
        if _state(trial) == "Succeeded"
        for key, entry in _entry(trial)
    ]
    if not ranked:
        counts = ", ".join(f"{n} {state}" for state, n in _states(trials).items()) or "no trial"
        raise NoCandidate(
            f"no trial has succeeded with a finite objective ({counts})",
            hint="look at the trials' output, or run `tunegate lint` on the Experiment",
        )
    return [entry for _, entry in sorted(ranked, key=lambda pair: (pair[0], pair[1].trial))]


def _entry(trial: Mapping[str, Any]) -> list[tuple[float, Ranked]]:
    objective = trial["spec"]["objective"]
    value = _objective(trial, objective)
    if value is None:
        return []
    metadata = trial["metadata"]
    assignments = {pair["name"]: pair["value"] for pair in trial["spec"]["parameterAssignments"]}
    experiment = metadata.get("labels", {}).get("katib.kubeflow.org/experiment", "")
    key = value if objective["type"] == "minimize" else -value
    return [(key, Ranked(metadata["name"], experiment, value, assignments))]


def _objective(trial: Mapping[str, Any], objective: Mapping[str, Any]) -> float | None:
    name = objective["objectiveMetricName"]
    default = "min" if objective["type"] == "minimize" else "max"
    strategies = {s["name"]: s["value"] for s in objective.get("metricStrategies", ())}
    metrics = trial.get("status", {}).get("observation", {}).get("metrics", ())
    entry: Mapping[str, str] = next(
        (m for m in metrics if m.get("name") == name), {}
    )  # in random order, and without empty fields
    text = entry.get(strategies.get(name, default), "unavailable")
    return _finite(entry.get("latest", "") if text == "unavailable" else text)


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _state(trial: Mapping[str, Any]) -> str:
    conditions = trial.get("status", {}).get("conditions") or [{"type": "Created"}]
    return str(conditions[-1]["type"])


def _states(trials: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    states = [_state(trial) for trial in trials]
    return {state: states.count(state) for state in dict.fromkeys(states)}
