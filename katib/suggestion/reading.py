"""What a request says: a search, the trials that belong to it in the order of asking, and what is wrong with it."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from katib.errors import InvalidExperiment
from katib.experiment import SEED_SETTING
from katib.search.algorithms import ALGORITHMS, settings_problems
from katib.search.sampler import LARGEST_GRID, Search, TrialRecord
from katib.space import Parameter
from katib.suggestion.requests import (
    EARLY_STOPPED,
    FAILED,
    KILLED,
    METRICS_UNAVAILABLE,
    OBJECTIVES,
    SUCCEEDED,
    in_order,
    lint_errors,
    value_of,
)

Message = Any  # of protobuf, which has no types
# Numbers of Katib's enumerations: ParameterType, Distribution.
KINDS = {1: "double", 2: "int", 3: "discrete", 4: "categorical"}
DISTRIBUTIONS = {0: "uniform", 1: "uniform", 2: "logUniform", 3: "normal", 4: "logNormal"}


def problems(experiment: Message) -> list[str]:
    """Return everything for which this Experiment would be refused, a sentence each."""
    texts = lint_errors(_spec(experiment), within=("spec.objective", "spec.parameters"))
    return [*_algorithm_problems(experiment), *texts] or list(_grid_problems(experiment))


def to_search(experiment: Message) -> Search:
    """Read what is to be searched and how; without `random_state` the seed follows from the Experiment itself.

    Raises:
        InvalidExperiment: with all problems, when there are any.
    """
    if wrong := problems(experiment):
        raise InvalidExperiment("; ".join(wrong))
    spec = _spec(experiment)
    settings = _settings(experiment)
    parameters = tuple(Parameter.from_spec(p) for p in spec["parameters"])
    if SEED_SETTING in settings:
        seed = int(settings[SEED_SETTING])
    else:
        seed = _own_seed(experiment.name, spec)
    minimize = spec["objective"]["type"] == "minimize"
    return Search(
        parameters, experiment.spec.algorithm.algorithm_name, settings, minimize, seed, first={}
    )


def to_seen(
    experiment: Message, trials: Iterable[Message], parameters: Iterable[Parameter]
) -> list[TrialRecord]:
    """Return the Experiment's trials in the order of asking; whatever does not fit into this search is left out."""
    space = {p.name: p for p in parameters}
    metric = experiment.spec.objective.objective_metric_name
    return [seen for trial in in_order(experiment, trials) if (seen := _seen(metric, trial, space))]


def _seen(metric: str, trial: Message, space: Mapping[str, Parameter]) -> TrialRecord | None:
    given = {a.name: a.value for a in trial.spec.parameter_assignments.assignments}
    if not all(p.contains(given[name]) for name, p in space.items()):
        return None
    assignments = {
        n: p.rewritten(given[n]) for n, p in space.items()
    }  # points are compared as text
    value = value_of(trial, metric)
    if trial.status.condition in {SUCCEEDED, EARLY_STOPPED}:
        return TrialRecord(assignments, "failed" if value is None else "complete", value)
    return TrialRecord(
        assignments,
        "failed" if trial.status.condition in {KILLED, FAILED, METRICS_UNAVAILABLE} else "running",
    )


def _spec(experiment: Message) -> dict[str, Any]:
    """Return as much of the Experiment's `spec` as the request carries."""
    spec = experiment.spec
    objective = {
        "type": OBJECTIVES.get(spec.objective.type, "unknown"),
        "objectiveMetricName": spec.objective.objective_metric_name,
    }
    parameters = [
        {
            "name": p.name,
            "parameterType": KINDS.get(p.parameter_type, "unknown"),
            "feasibleSpace": _space(p.feasible_space),
        }
        for p in spec.parameter_specs.parameters
    ]
    return {
        "objective": objective,
        "algorithm": {"algorithmName": spec.algorithm.algorithm_name},
        "parameters": parameters,
    }


def _space(space: Message) -> dict[str, Any]:
    fields = {"min": space.min, "max": space.max, "step": space.step, "list": list(space.list)}
    there = {name: value for name, value in fields.items() if value}
    return {
        **there,
        "distribution": DISTRIBUTIONS.get(space.distribution, f"number {space.distribution}"),
    }


def _settings(experiment: Message) -> dict[str, str]:
    return {s.name: s.value for s in experiment.spec.algorithm.algorithm_settings}


def _algorithm_problems(experiment: Message) -> Iterator[str]:
    name = experiment.spec.algorithm.algorithm_name
    if name not in ALGORITHMS or not ALGORITHMS[name].local:
        served = ", ".join(n for n, algorithm in ALGORITHMS.items() if algorithm.local)
        yield f"algorithm {name!r} is not served here (served: {served})"
        return
    choices = {
        p.name: list(p.feasible_space.list) for p in experiment.spec.parameter_specs.parameters
    }
    for setting, message in settings_problems(name, _settings(experiment), choices):
        yield f"algorithmSettings, {setting}: {message}"


def _grid_problems(experiment: Message) -> Iterator[str]:
    """Refuse, as Katib's own service does, a grid with fewer points than trials; and one too large to go through."""
    spec = experiment.spec
    if spec.algorithm.algorithm_name != "grid":
        return
    points = math.prod(Parameter.from_spec(p).size for p in _spec(experiment)["parameters"])
    if spec.max_trial_count > points:
        yield f"maxTrialCount {spec.max_trial_count} is above the {points} points of the grid"
    if points > LARGEST_GRID:
        yield f"the grid has {points} points, more than {LARGEST_GRID}: use larger steps, or another algorithm"


def _own_seed(name: str, spec: dict[str, Any]) -> int:
    content = json.dumps([name, spec], sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:4])
