"""Rules about objective, algorithm, counts and search space.

Source: Katib v0.19, pkg/webhook/v1beta1/experiment/validator/validator.go, the suggestion services' own checks, and
runs of the real thing.
"""

import math
import re
from collections.abc import Iterator

from katib.document import Document, FieldPath
from katib.lint.problem import Edit, Problem, items, one_of, unknown_fields
from katib.metrics_collector import number
from katib.search.algorithms import ALGORITHMS, settings_problems

VERSION = "kubeflow.org/v1beta1"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
SPEC_FIELDS = (
    "objective",
    "algorithm",
    "earlyStopping",
    "parameters",
    "parallelTrialCount",
    "maxTrialCount",
    "maxFailedTrialCount",
    "trialTemplate",
    "metricsCollectorSpec",
    "nasConfig",
    "resumePolicy",
)
OBJECTIVE_FIELDS = (
    "type",
    "goal",
    "objectiveMetricName",
    "additionalMetricNames",
    "metricStrategies",
)
SPACE_FIELDS = ("min", "max", "step", "list", "distribution")
DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal")
RANGES = ("int", "double")
LISTS = ("discrete", "categorical")
WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
SPEC: FieldPath = ("spec",)


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of these parts."""
    yield from _head(document)
    if isinstance(document.get("spec"), dict):
        yield from unknown_fields(document, SPEC, SPEC_FIELDS, "K201")
        for rule in (_objective, _algorithm, _counts, _parameters):
            yield from rule(document)


def _head(document: Document) -> Iterator[Problem]:
    yield from one_of(
        "K102", ("apiVersion",), document.get("apiVersion"), [VERSION], f"must be {VERSION}"
    )
    yield from unknown_fields(
        document, (), ("apiVersion", "kind", "metadata", "spec", "status"), "K201"
    )
    name = document.get("metadata", "name")
    if name is None and not document.get("metadata", "generateName"):
        yield Problem("K103", ("metadata",), "name is missing", "add metadata.name")
    if name is not None and not NAME.fullmatch(str(name)):
        what = "must be 1 to 40 lower-case letters, digits or '-', begin with a letter, not end with '-'"
        yield Problem("K103", ("metadata", "name"), what)
    if not isinstance(document.get("spec"), dict):
        yield Problem("K104", SPEC, "is missing")


def _objective(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "objective")
    objective = document.get(*path)
    if not isinstance(objective, dict):
        yield Problem("K110", path, "is missing", "add type and objectiveMetricName")
        return
    yield from unknown_fields(document, path, OBJECTIVE_FIELDS, "K201")
    yield from one_of("K111", (*path, "type"), objective.get("type"), ("minimize", "maximize"))
    metric = objective.get("objectiveMetricName")
    if not metric:
        yield Problem("K112", (*path, "objectiveMetricName"), "is missing")
    if metric in (objective.get("additionalMetricNames") or []):
        yield Problem(
            "K113", (*path, "additionalMetricNames"), f"must not repeat the objective {metric}"
        )
    yield from _goal((*path, "goal"), objective.get("goal"))
    names = {metric, *(objective.get("additionalMetricNames") or [])}
    for at, strategy in items(document, *path, "metricStrategies"):
        yield from one_of("K115", (*at, "value"), strategy.get("value"), ("min", "max", "latest"))
        if strategy.get("name") not in names:
            yield Problem(
                "K213",
                (*at, "name"),
                f"{strategy.get('name')} is none of this Experiment's metrics",
            )


def _goal(path: FieldPath, goal: object) -> Iterator[Problem]:
    if goal is None or (
        isinstance(goal, int | float) and not isinstance(goal, bool) and math.isfinite(goal)
    ):
        return
    if isinstance(goal, str) and number(goal) is not None:
        edit = Edit(path, goal)
    else:
        edit = None
    yield Problem(
        "K114", path, f"must be a finite number, is {goal!r}", "write it without quotes", edit
    )


def _algorithm(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "algorithm")
    name = document.get(*path, "algorithmName")
    if not name:
        yield Problem("K120", path, "is missing", "add algorithmName")
        return
    if name not in ALGORITHMS:
        known = f"{name!r} is not installed (known: {', '.join(ALGORITHMS)})"
        yield from one_of("K121", (*path, "algorithmName"), name, ALGORITHMS, known)
        return
    if not ALGORITHMS[name].local:
        fix = "use tpe, multivariate-tpe, bayesianoptimization, cmaes, sobol, random or grid"
        yield Problem("K301", (*path, "algorithmName"), f"{name} is not run locally", fix)
    settings = {
        str(s["name"]): str(s["value"]) for _, s in items(document, *path, "algorithmSettings")
    }
    for setting_name, message in settings_problems(name, settings, _choices(document)):
        at = next(
            at
            for at, s in items(document, *path, "algorithmSettings")
            if str(s["name"]) == setting_name
        )
        yield Problem("K220", at, f"{message}: the Suggestion fails, and the Experiment with it")


def _choices(document: Document) -> dict[str, list[str]]:
    """Return the listed values of each parameter, none for a range."""
    spaces = [
        (str(p.get("name")), p.get("feasibleSpace"))
        for _, p in items(document, "spec", "parameters")
    ]
    lists = [
        (name, space.get("list") if isinstance(space, dict) else None) for name, space in spaces
    ]
    return {
        name: [str(value) for value in values] if isinstance(values, list) else []
        for name, values in lists
    }


def _counts(document: Document) -> Iterator[Problem]:
    limit = document.get("spec", "maxTrialCount")
    for name, least in (
        ("parallelTrialCount", 1),
        ("maxTrialCount", 1),
        ("maxFailedTrialCount", 0),
    ):
        path = ("spec", name)
        value = document.get("spec", name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            if isinstance(value, str) and value.isdecimal():
                edit = Edit(path, value)
            else:
                edit = None
            yield Problem(
                "K130", path, f"must be an integer, is {value!r}", "write it without quotes", edit
            )
        elif value < least:
            yield Problem("K131", path, f"must be at least {least}, is {value}")
        elif isinstance(limit, int) and value > limit:
            yield Problem("K132", path, f"must not be above maxTrialCount {limit}, is {value}")
    bounds = (
        limit,
        document.get("spec", "objective", "goal"),
        document.get("spec", "maxFailedTrialCount"),
    )
    if all(bound is None for bound in bounds):
        yield Problem(
            "K202", SPEC, "no maxTrialCount, no goal, no maxFailedTrialCount: it would never end"
        )
    policy = document.get("spec", "resumePolicy")
    if policy is not None:
        yield from one_of(
            "K133", ("spec", "resumePolicy"), policy, ("Never", "LongRunning", "FromVolume")
        )
    if limit is not None and document.get("spec", "maxFailedTrialCount") is None:
        yield Problem(
            "K251",
            SPEC,
            "no maxFailedTrialCount: an Experiment whose trials all fail ends as Succeeded",
        )


def _parameters(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "parameters")
    if document.get("spec", "nasConfig") is not None:
        yield Problem(
            "K302", ("spec", "nasConfig"), "neural architecture search is not run locally"
        )
        if document.get(*path):
            yield Problem(
                "K149", ("spec", "nasConfig"), "stands beside parameters; only one of them can"
            )
    elif not document.get(*path):
        yield Problem("K140", path, "is missing or empty")
    seen: set[object] = set()
    for at, parameter in items(document, *path):
        yield from unknown_fields(document, at, ("name", "parameterType", "feasibleSpace"), "K201")
        if not parameter.get("name"):
            yield Problem("K141", (*at, "name"), "is missing")
        if parameter.get("name") in seen:
            yield Problem("K141", (*at, "name"), f"{parameter['name']} is there twice")
        seen.add(parameter.get("name"))
        yield from _feasible_space(document, at, parameter.get("parameterType"))


def _feasible_space(document: Document, at: FieldPath, kind: object) -> Iterator[Problem]:
    path = (*at, "feasibleSpace")
    space = document.get(*path, default={})
    if kind not in {*RANGES, *LISTS}:
        yield from one_of("K142", (*at, "parameterType"), kind, (*RANGES, *LISTS))
        return
    yield from unknown_fields(document, path, SPACE_FIELDS, "K201")
    if space.get("distribution"):
        message = f"must be one of {', '.join(DISTRIBUTIONS)}"
        yield from one_of(
            "K144", (*path, "distribution"), space["distribution"], DISTRIBUTIONS, message
        )
    values = [*(space.get(name) for name in ("min", "max", "step")), *(space.get("list") or [])]
    if all(value is None or isinstance(value, str) for value in values):
        yield from (_range if kind in RANGES else _list)(document, path, str(kind))


def _range(document: Document, path: FieldPath, kind: str) -> Iterator[Problem]:
    space = document.get(*path)
    if not space or not space.get("min") or not space.get("max"):
        yield Problem("K145", path, f"min and max are needed for {kind}")
        return
    if space.get("list"):
        yield Problem("K146", (*path, "list"), f"is not for {kind}")
    values = {name: number(space[name]) for name in ("min", "max", "step") if space.get(name)}
    for name, value in values.items():
        if value is None or (kind == "int" and not WHOLE.fullmatch(str(space[name]))):
            yield Problem("K203", (*path, name), f"{space[name]!r} is not a finite {kind}")
            return
    low = values["min"] or 0.0
    high = values["max"] or 0.0
    step = values.get("step")
    if low > high or (low == high and not _is_resource(document, path)):
        yield Problem("K204", path, f"min {space['min']} is not below max {space['max']}")
    if step is not None and not 0 < step <= (high - low) * (1 + 1e-9):  # 0.3 - 0.2 is below 0.1
        yield Problem("K205", (*path, "step"), "must be above 0 and not above max - min")
    if str(space.get("distribution")).startswith("log") and low <= 0:
        yield Problem("K206", path, f"{space['distribution']} needs a min above 0", "raise min")


def _is_resource(document: Document, path: FieldPath) -> bool:
    """Whether hyperband deals this parameter out itself, so that its ends may be equal."""
    settings = {"name": "resource_name", "value": document.get(*path[:-1], "name")}
    is_hyperband = document.get("spec", "algorithm", "algorithmName") == "hyperband"
    return is_hyperband and settings in document.get(
        "spec", "algorithm", "algorithmSettings", default=[]
    )


def _list(document: Document, path: FieldPath, kind: str) -> Iterator[Problem]:
    space = document.get(*path, default={})
    if any(space.get(name) for name in ("min", "max", "step")):
        yield Problem("K147", path, f"min, max and step are not for {kind}")
    values = space.get("list")
    if not isinstance(values, list) or not values:
        yield Problem("K148", path, f"list is needed for {kind}")
        return
    if len(set(map(str, values))) < len(values):
        yield Problem("K209", (*path, "list"), "a value is there twice")
    for index, value in enumerate(values):
        if kind == "discrete" and number(str(value)) is None:
            yield Problem(
                "K210",
                (*path, "list", index),
                f"{value!r} is not a finite number",
                "use categorical",
            )
