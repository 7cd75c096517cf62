"""Rules about objective, algorithm, counts and parameters.

Source: Katib v0.19, pkg/webhook/v1beta1/experiment/validator/validator.go, the suggestion services'
own checks, and runs of the real thing.
"""

import math
import re
from collections.abc import Iterator

from katib.document import Document, FieldPath
from katib.lint.violation import Violation, check_word, list_items, number_expected, unknown_fields
from katib.metrics_collector import number
from katib.search.algorithms import ALGORITHMS, settings_problems

VERSION = "kubeflow.org/v1beta1"
OUTDATED = "kubeflow.org/v1alpha"
TOP_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status")
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
LEAST_COUNTS = {"parallelTrialCount": 1, "maxTrialCount": 1, "maxFailedTrialCount": 0}
POLICIES = ("Never", "LongRunning", "FromVolume")
SPACE_FIELDS = ("min", "max", "step", "list", "distribution")
DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal")
RANGES = ("int", "double")
LISTS = ("discrete", "categorical")
WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
SPEC: FieldPath = ("spec",)
OBJECTIVE: FieldPath = ("spec", "objective")
ALGORITHM: FieldPath = ("spec", "algorithm")
PARAMETERS: FieldPath = ("spec", "parameters")


def check_experiment(document: Document) -> Iterator[Violation]:
    """Yield every violation in these parts."""
    yield from _check_head(document)
    if isinstance(document.get("spec"), dict):
        yield from unknown_fields(document, SPEC, SPEC_FIELDS)
        yield from _check_objective(document)
        yield from _check_algorithm(document)
        yield from _check_counts(document)
        yield from _check_parameters(document)
    else:
        yield Violation("K104", SPEC, "is missing")


def is_outdated(document: Document) -> bool:
    """Whether it is an Experiment in a format that Katib had before v1beta1."""
    return str(document.get("apiVersion")).startswith(OUTDATED)


def check_outdated(document: Document) -> Iterator[Violation]:
    """Yield what has to be rewritten in an outdated Experiment, in place of all other rules."""
    version = str(document.get("apiVersion")).partition("/")[2]
    message = f"{version} is Katib's format before 0.10, of 2020; it must be {VERSION}"
    fix = f"write {VERSION} and what else has changed, then lint it again"
    yield Violation("K102", ("apiVersion",), message, fix)
    template = ("spec", "trialTemplate", "goTemplate")
    if document.get(*template) is not None:
        message = "v1beta1 has no Go templates"
        fix = (
            "write the Job into trialSpec with placeholders ${trialParameters.<name>}, add"
            " trialParameters and primaryContainerName"
        )
        yield Violation("K102", template, message, fix)


def _check_head(document: Document) -> Iterator[Violation]:
    yield from check_word(
        "K102", ("apiVersion",), document.get("apiVersion"), [VERSION], f"must be {VERSION}"
    )
    yield from unknown_fields(document, (), TOP_FIELDS)
    name = document.get("metadata", "name")
    if name is None and not document.get("metadata", "generateName"):
        yield Violation("K103", ("metadata",), "name is missing", "add metadata.name")
    if name is not None and not NAME.fullmatch(str(name)):
        message = (
            "must be 1 to 40 lower-case letters, digits or '-', "
            "begin with a letter, not end with '-'"
        )
        yield Violation("K103", ("metadata", "name"), message)


def _check_objective(document: Document) -> Iterator[Violation]:
    objective = document.get(*OBJECTIVE)
    if not isinstance(objective, dict):
        yield Violation("K110", OBJECTIVE, "is missing", "add type and objectiveMetricName")
        return
    yield from unknown_fields(document, OBJECTIVE, OBJECTIVE_FIELDS)
    types = ("minimize", "maximize")
    yield from check_word("K111", (*OBJECTIVE, "type"), objective.get("type"), types)
    metric = objective.get("objectiveMetricName")
    additional = objective.get("additionalMetricNames") or []
    if not metric:
        yield Violation("K112", (*OBJECTIVE, "objectiveMetricName"), "is missing")
    if metric in additional:
        message = f"must not repeat the objective {metric}"
        yield Violation("K113", (*OBJECTIVE, "additionalMetricNames"), message)
    yield from _check_goal(objective.get("goal"))
    for path, strategy in list_items(document, *OBJECTIVE, "metricStrategies"):
        strategies = ("min", "max", "latest")
        yield from check_word("K115", (*path, "value"), strategy.get("value"), strategies)
        if strategy.get("name") not in {metric, *additional}:
            message = f"{strategy.get('name')} is none of this Experiment's metrics"
            yield Violation("K213", (*path, "name"), message)


def _check_goal(goal: object) -> Iterator[Violation]:
    if goal is None:
        return
    if isinstance(goal, int | float) and not isinstance(goal, bool) and math.isfinite(goal):
        return
    unquoted = goal if isinstance(goal, str) and number(goal) is not None else ""
    message = f"must be a finite number, is {goal!r}"
    yield number_expected("K114", (*OBJECTIVE, "goal"), message, unquoted)


def _check_algorithm(document: Document) -> Iterator[Violation]:
    path = (*ALGORITHM, "algorithmName")
    name = document.get(*path)
    if not name:
        yield Violation("K120", ALGORITHM, "is missing", "add algorithmName")
        return
    if name not in ALGORITHMS:
        message = f"{name!r} is not installed (known: {', '.join(ALGORITHMS)})"
        yield from check_word("K121", path, name, ALGORITHMS, message)
        return
    if not ALGORITHMS[name].local:
        fix = "use tpe, multivariate-tpe, bayesianoptimization, cmaes, sobol, random or grid"
        yield Violation("K301", path, f"{name} is not run locally", fix)
    settings: dict[str, str] = {}
    places: dict[str, FieldPath] = {}
    for at, setting in list_items(document, *ALGORITHM, "algorithmSettings"):
        setting_name = str(setting["name"])
        settings[setting_name] = str(setting["value"])
        places.setdefault(setting_name, at)
    for setting_name, message in settings_problems(name, settings, _listed_values(document)):
        consequence = "the Suggestion fails, and the Experiment with it"
        yield Violation("K220", places[setting_name], f"{message}: {consequence}")


def _listed_values(document: Document) -> dict[str, list[str]]:
    """Return the listed values of each parameter, none for a range."""
    values: dict[str, list[str]] = {}
    for path, parameter in list_items(document, *PARAMETERS):
        listed = document.get_list(*path, "feasibleSpace", "list")
        values[str(parameter.get("name"))] = [str(value) for value in listed]
    return values


def _check_counts(document: Document) -> Iterator[Violation]:
    limit = document.get("spec", "maxTrialCount")
    failures = document.get("spec", "maxFailedTrialCount")
    for name, least in LEAST_COUNTS.items():
        path = ("spec", name)
        value = document.get(*path)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            unquoted = value if isinstance(value, str) and value.isdecimal() else ""
            message = f"must be an integer, is {value!r}"
            yield number_expected("K130", path, message, unquoted)
        elif value < least:
            yield Violation("K131", path, f"must be at least {least}, is {value}")
        elif isinstance(limit, int) and value > limit:
            yield Violation("K132", path, f"must not be above maxTrialCount {limit}, is {value}")
    if limit is None and failures is None and document.get(*OBJECTIVE, "goal") is None:
        message = "no maxTrialCount, no goal, no maxFailedTrialCount: it ends when it is deleted"
        yield Violation("K202", SPEC, message, "set maxTrialCount")
    policy = document.get("spec", "resumePolicy")
    if policy is not None:
        yield from check_word("K133", ("spec", "resumePolicy"), policy, POLICIES)
    if limit is not None and failures is None:
        message = "no maxFailedTrialCount: an Experiment whose trials all fail ends as Succeeded"
        yield Violation("K251", SPEC, message)


def _check_parameters(document: Document) -> Iterator[Violation]:
    architecture = ("spec", "nasConfig")
    if document.get(*architecture) is not None:
        yield Violation("K302", architecture, "neural architecture search is not run locally")
        if document.get(*PARAMETERS):
            message = "must not be combined with parameters: only one of the two can be searched"
            yield Violation("K149", architecture, message)
    elif not document.get(*PARAMETERS):
        yield Violation("K140", PARAMETERS, "is missing or empty")
    seen: set[object] = set()
    for path, parameter in list_items(document, *PARAMETERS):
        yield from unknown_fields(document, path, ("name", "parameterType", "feasibleSpace"))
        name = parameter.get("name")
        if not name:
            yield Violation("K141", (*path, "name"), "is missing")
        if name in seen:
            yield Violation("K141", (*path, "name"), f"{name} occurs twice")
        seen.add(name)
        yield from _check_space(document, path, parameter.get("parameterType"))


def _check_space(document: Document, parameter: FieldPath, kind: object) -> Iterator[Violation]:
    path = (*parameter, "feasibleSpace")
    space = document.get(*path, default={})
    if kind not in {*RANGES, *LISTS}:
        yield from check_word("K142", (*parameter, "parameterType"), kind, (*RANGES, *LISTS))
        return
    yield from unknown_fields(document, path, SPACE_FIELDS)
    distribution = space.get("distribution")
    if distribution:
        message = f"must be one of {', '.join(DISTRIBUTIONS)}"
        at = (*path, "distribution")
        yield from check_word("K144", at, distribution, DISTRIBUTIONS, message)
    values = [*(space.get(name) for name in ("min", "max", "step")), *(space.get("list") or [])]
    if all(value is None or isinstance(value, str) for value in values):
        check = _check_range if kind in RANGES else _check_choices
        yield from check(document, path, str(kind))


def _check_range(document: Document, path: FieldPath, kind: str) -> Iterator[Violation]:
    space = document.get(*path)
    if not space or not space.get("min") or not space.get("max"):
        yield Violation("K145", path, f"min and max are needed for {kind}")
        return
    if space.get("list"):
        yield Violation("K146", (*path, "list"), f"is not allowed for {kind}")
    values = {name: number(space[name]) for name in ("min", "max", "step") if space.get(name)}
    for name, value in values.items():
        if value is None or (kind == "int" and not WHOLE.fullmatch(str(space[name]))):
            yield Violation("K203", (*path, name), f"{space[name]!r} is not a finite {kind}")
            return
    low = values["min"] or 0.0
    high = values["max"] or 0.0
    step = values.get("step")
    if low > high or (low == high and not _is_hyperband_resource(document, path)):
        yield Violation("K204", path, f"min {space['min']} is not below max {space['max']}")
    if step is not None and not 0 < step <= (high - low) * (1 + 1e-9):  # 0.3 - 0.2 is below 0.1
        yield Violation("K205", (*path, "step"), "must be above 0 and not above max - min")
    if str(space.get("distribution")).startswith("log") and low <= 0:
        yield Violation("K206", path, f"{space['distribution']} needs a min above 0", "raise min")


def _is_hyperband_resource(document: Document, space: FieldPath) -> bool:
    """Whether hyperband sets this parameter by itself, so that its min may equal its max."""
    if document.get(*ALGORITHM, "algorithmName") != "hyperband":
        return False
    setting = {"name": "resource_name", "value": document.get(*space[:-1], "name")}
    return setting in document.get_list(*ALGORITHM, "algorithmSettings")


def _check_choices(document: Document, path: FieldPath, kind: str) -> Iterator[Violation]:
    space = document.get(*path, default={})
    if any(space.get(name) for name in ("min", "max", "step")):
        yield Violation("K147", path, f"min, max and step are not allowed for {kind}")
    values = space.get("list")
    if not isinstance(values, list) or not values:
        yield Violation("K148", path, f"list is needed for {kind}")
        return
    if len(set(map(str, values))) < len(values):
        yield Violation("K209", (*path, "list"), "a value occurs twice")
    for index, value in enumerate(values):
        if kind == "discrete" and number(str(value)) is None:
            message = f"{value!r} is not a finite number"
            yield Violation("K210", (*path, "list", index), message, "use categorical")
