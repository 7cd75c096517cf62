"""Read a request: its search, its trials in the order of asking, and its problems."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping

from katib.errors import InvalidExperiment
from katib.experiment import SEED_SETTING
from katib.objects import JsonObject
from katib.search.algorithms import ALGORITHMS, settings_problems
from katib.search.sampler import LARGEST_GRID, Search, TrialRecord
from katib.space import Parameter
from katib.suggestion.memory import SETTING, read_memory
from katib.suggestion.messages import Message
from katib.suggestion.requests import (
    EARLY_STOPPED,
    FAILED,
    KILLED,
    METRICS_UNAVAILABLE,
    OBJECTIVES,
    SUCCEEDED,
    asking_order,
    in_order,
    lint_errors,
    value_of,
)

# Numbers of Katib's enumerations: ParameterType, Distribution.
KINDS = {1: "double", 2: "int", 3: "discrete", 4: "categorical"}
DISTRIBUTIONS = {0: "uniform", 1: "uniform", 2: "logUniform", 3: "normal", 4: "logNormal"}


def experiment_problems(experiment: Message) -> list[str]:
    """Return everything for which this Experiment would be refused, a sentence each."""
    texts = lint_errors(_to_spec(experiment), within=("spec.objective", "spec.parameters"))
    return [*_algorithm_problems(experiment), *texts] or list(_grid_problems(experiment))


def to_search(experiment: Message) -> Search:
    """Read what is to be searched and how.

    Without `random_state` the seed follows from the Experiment itself.

    Raises:
        InvalidExperiment: with all problems, when there are any.
    """
    if problems := experiment_problems(experiment):
        raise InvalidExperiment("; ".join(problems))
    spec = _to_spec(experiment)
    settings = _to_settings(experiment)
    if SEED_SETTING in settings:
        seed = int(settings[SEED_SETTING])
    else:
        seed = _derive_seed(experiment.name, spec)
    return Search(
        parameters=tuple(Parameter.from_spec(p) for p in spec["parameters"]),
        algorithm=experiment.spec.algorithm.algorithm_name,
        settings=settings,
        minimize=spec["objective"]["type"] == "minimize",
        seed=seed,
        first={},
    )


def to_records(
    experiment: Message, trials: Iterable[Message], parameters: Iterable[Parameter]
) -> list[TrialRecord]:
    """Return the Experiment's trials in the order of asking, without those outside of the space.

    Points that were given and of whose trials Katib sends nothing count as failed: they are trials
    without metrics, and for a moment those that Katib is about to make.
    """
    space = {p.name: p for p in parameters}
    metric = experiment.spec.objective.objective_metric_name
    sent = in_order(experiment, trials)
    names = {trial.name for trial in sent}
    keyed = [
        (
            asking_order(experiment.name, trial.name, trial.status.start_time),
            _to_record(metric, trial, space),
        )
        for trial in sent
    ]
    for name, point in read_memory(experiment).open.items():
        if name not in names and _is_inside(point, space):
            record = TrialRecord(_rewritten(point, space), "failed")
            keyed.append((asking_order(experiment.name, name), record))
    keyed.sort(key=lambda pair: pair[0])
    return [record for _, record in keyed if record is not None]


def _to_record(metric: str, trial: Message, space: Mapping[str, Parameter]) -> TrialRecord | None:
    given = {a.name: a.value for a in trial.spec.parameter_assignments.assignments}
    if not _is_inside(given, space):
        return None
    assignments = _rewritten(given, space)
    condition = trial.status.condition
    if condition in {SUCCEEDED, EARLY_STOPPED}:
        value = value_of(trial, metric)
        return TrialRecord(assignments, "failed" if value is None else "complete", value)
    if condition in {KILLED, FAILED, METRICS_UNAVAILABLE}:
        return TrialRecord(assignments, "failed")
    return TrialRecord(assignments, "running")


def _is_inside(point: Mapping[str, str], space: Mapping[str, Parameter]) -> bool:
    return all(name in point and p.contains(point[name]) for name, p in space.items())


def _rewritten(point: Mapping[str, str], space: Mapping[str, Parameter]) -> dict[str, str]:
    """Return a point as its parameters write it, as points are compared as text."""
    return {name: p.rewritten(point[name]) for name, p in space.items()}


def _to_spec(experiment: Message) -> JsonObject:
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
            "feasibleSpace": _to_feasible_space(p.feasible_space),
        }
        for p in spec.parameter_specs.parameters
    ]
    return {
        "objective": objective,
        "algorithm": {"algorithmName": spec.algorithm.algorithm_name},
        "parameters": parameters,
    }


def _to_feasible_space(space: Message) -> JsonObject:
    fields = {"min": space.min, "max": space.max, "step": space.step, "list": list(space.list)}
    written = {name: value for name, value in fields.items() if value}
    distribution = DISTRIBUTIONS.get(space.distribution, f"number {space.distribution}")
    return {**written, "distribution": distribution}


def _to_settings(experiment: Message) -> dict[str, str]:
    """Return what the Experiment itself sets, without what Katib keeps for us among that."""
    settings = experiment.spec.algorithm.algorithm_settings
    return {each.name: each.value for each in settings if each.name != SETTING}


def _algorithm_problems(experiment: Message) -> Iterator[str]:
    name = experiment.spec.algorithm.algorithm_name
    if name not in ALGORITHMS or not ALGORITHMS[name].local:
        served = ", ".join(n for n, algorithm in ALGORITHMS.items() if algorithm.local)
        yield f"algorithm {name!r} is not served here (served: {served})"
        return
    choices = {
        p.name: list(p.feasible_space.list) for p in experiment.spec.parameter_specs.parameters
    }
    for setting, message in settings_problems(name, _to_settings(experiment), choices):
        yield f"algorithmSettings, {setting}: {message}"


def _grid_problems(experiment: Message) -> Iterator[str]:
    """Refuse a grid with fewer points than trials, as Katib does, or a too large one."""
    spec = experiment.spec
    if spec.algorithm.algorithm_name != "grid":
        return
    points = math.prod(Parameter.from_spec(p).size for p in _to_spec(experiment)["parameters"])
    if spec.max_trial_count > points:
        yield f"maxTrialCount {spec.max_trial_count} is above the {points} points of the grid"
    if points > LARGEST_GRID:
        yield (
            f"the grid has {points} points, more than {LARGEST_GRID}: use larger steps,"
            " or another algorithm"
        )


def _derive_seed(name: str, spec: JsonObject) -> int:
    content = json.dumps([name, spec], sort_keys=True).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:4])
