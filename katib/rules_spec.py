"""Rules about everything but the trial template.

Source: Katib v0.19, pkg/webhook/v1beta1/experiment/validator/validator.go, the suggestion services' own checks, and
runs of the real thing.
"""

import math
import re
from collections.abc import Iterator

from katib.algorithms import ALGORITHMS, INTEGER, settings_problems
from katib.document import Document, FieldPath
from katib.metrics import number
from katib.rules import Problem, items, unknown_fields, warning

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
OBJECTIVE_FIELDS = ("type", "goal", "objectiveMetricName", "additionalMetricNames", "metricStrategies")
SPACE_FIELDS = ("min", "max", "step", "list", "distribution")
DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal")
RANGES, LISTS = ("int", "double"), ("discrete", "categorical")
COLLECTORS = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
LOCAL_COLLECTORS = ("StdOut", "File")
SPEC: FieldPath = ("spec",)


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of the parts that are not the template."""
    yield from _head(document)
    if isinstance(document.get("spec"), dict):
        yield from unknown_fields(document, SPEC, SPEC_FIELDS, "K201")
        for rule in (_objective, _algorithm, _counts, _parameters, _early_stopping, _collector):
            yield from rule(document)


def _head(document: Document) -> Iterator[Problem]:
    if document.get("apiVersion") != "kubeflow.org/v1beta1":
        yield Problem("K102", ("apiVersion",), "must be kubeflow.org/v1beta1")
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
    if objective.get("type") not in {"minimize", "maximize"}:
        yield Problem("K111", (*path, "type"), "must be minimize or maximize")
    metric = objective.get("objectiveMetricName")
    if not metric:
        yield Problem("K112", (*path, "objectiveMetricName"), "is missing")
    if metric in (objective.get("additionalMetricNames") or []):
        yield Problem("K113", (*path, "additionalMetricNames"), f"must not repeat the objective {metric}")
    goal = objective.get("goal")
    if goal is not None and (isinstance(goal, bool) or not isinstance(goal, int | float) or not math.isfinite(goal)):
        yield Problem("K114", (*path, "goal"), f"must be a finite number, is {goal!r}", "write it without quotes")
    for at, strategy in items(document, *path, "metricStrategies"):
        if strategy.get("value") not in {"min", "max", "latest"}:
            yield Problem("K115", (*at, "value"), "must be min, max or latest")


def _algorithm(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "algorithm")
    name = document.get(*path, "algorithmName")
    if not name:
        yield Problem("K120", path, "is missing", "add algorithmName")
        return
    if name not in ALGORITHMS:
        yield Problem("K121", (*path, "algorithmName"), f"{name!r} is not installed", f"known: {', '.join(ALGORITHMS)}")
        return
    if not ALGORITHMS[name].local:
        fix = "use tpe, multivariate-tpe, bayesianoptimization, cmaes, sobol, random or grid"
        yield Problem("K301", (*path, "algorithmName"), f"{name} is not run locally", fix)
    settings = {str(s["name"]): str(s["value"]) for _, s in items(document, *path, "algorithmSettings")}
    for setting_name, message in settings_problems(name, settings):
        at = next(at for at, s in items(document, *path, "algorithmSettings") if str(s["name"]) == setting_name)
        yield Problem("K220", at, f"{message}: the Suggestion fails, and the Experiment with it")


def _counts(document: Document) -> Iterator[Problem]:
    limit = document.get("spec", "maxTrialCount")
    for name, least in (("parallelTrialCount", 1), ("maxTrialCount", 1), ("maxFailedTrialCount", 0)):
        path, value = ("spec", name), document.get("spec", name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            yield Problem("K130", path, f"must be an integer, is {value!r}")
        elif value < least:
            yield Problem("K131", path, f"must be at least {least}, is {value}")
        elif isinstance(limit, int) and value > limit:
            yield Problem("K132", path, f"must not be above maxTrialCount {limit}, is {value}")
    bounds = (limit, document.get("spec", "objective", "goal"), document.get("spec", "maxFailedTrialCount"))
    if all(bound is None for bound in bounds):
        yield Problem("K202", SPEC, "no maxTrialCount, no goal, no maxFailedTrialCount: it would never end")
    policy = document.get("spec", "resumePolicy")
    if policy not in {None, "Never", "LongRunning", "FromVolume"}:
        yield Problem("K133", ("spec", "resumePolicy"), "must be Never, LongRunning or FromVolume")


def _parameters(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "parameters")
    if document.get("spec", "nasConfig") is not None:
        yield Problem("K302", ("spec", "nasConfig"), "neural architecture search is not run locally")
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
        yield Problem("K142", (*at, "parameterType"), f"must be int, double, discrete or categorical, is {kind!r}")
        return
    yield from unknown_fields(document, path, SPACE_FIELDS, "K201")
    if space.get("distribution") not in {None, "", *DISTRIBUTIONS}:
        yield Problem("K144", (*path, "distribution"), f"must be one of {', '.join(DISTRIBUTIONS)}")
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
        if value is None or (kind == "int" and not value.is_integer()):
            yield Problem("K203", (*path, name), f"{space[name]!r} is not a finite {kind}")
            return
    low, high, step = values["min"] or 0.0, values["max"] or 0.0, values.get("step")
    if low >= high:
        yield Problem("K204", path, f"min {space['min']} is not below max {space['max']}")
    if step is not None and not 0 < step <= high - low:
        yield Problem("K205", (*path, "step"), "must be above 0 and not above max - min")
    if str(space.get("distribution")).startswith("log") and low <= 0:
        yield Problem("K206", path, f"{space['distribution']} needs a min above 0", "raise min")
    yield from _range_for_algorithm(document, path, kind, low=low, step=step)


def _range_for_algorithm(
    document: Document, path: FieldPath, kind: str, *, low: float, step: float | None
) -> Iterator[Problem]:
    algorithm = document.get("spec", "algorithm", "algorithmName")
    if algorithm == "grid" and kind == "double" and step is None:
        yield Problem("K207", path, "grid needs a step for a double")
    if algorithm == "bayesianoptimization" and kind == "double" and low <= 0:
        message = "Katib's bayesianoptimization puts every double on a log scale and fails where min is not above 0"
        yield warning("K208", path, message, "raise min, or use multivariate-tpe")


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
            yield Problem("K210", (*path, "list", index), f"{value!r} is not a finite number", "use categorical")


def _early_stopping(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "earlyStopping")
    if document.get(*path) is None:
        return
    if document.get(*path, "algorithmName") != "medianstop":
        yield Problem("K150", (*path, "algorithmName"), "must be medianstop")
    least = {"min_trials_required": 1, "start_step": 1}
    for at, setting in items(document, *path, "algorithmSettings"):
        name, value = str(setting.get("name")), setting.get("value")
        if name not in least:
            yield Problem("K221", (*at, "name"), f"{name} is not a setting of medianstop", f"known: {', '.join(least)}")
        elif not INTEGER.fullmatch(str(value)) or int(str(value)) < least[name]:
            yield Problem("K222", (*at, "value"), f"{name} must be an integer of at least {least[name]}")


def _collector(document: Document) -> Iterator[Problem]:
    path: FieldPath = ("spec", "metricsCollectorSpec")
    kind = document.get(*path, "collector", "kind", default="StdOut")
    if kind not in COLLECTORS:
        fix = "None is called Push now" if kind == "None" else ""
        yield Problem("K160", (*path, "collector", "kind"), f"must be one of {', '.join(COLLECTORS)}", fix)
    elif kind not in LOCAL_COLLECTORS:
        yield Problem("K303", (*path, "collector", "kind"), f"{kind} is not read locally", "use StdOut or File")
    file = document.get(*path, "source", "fileSystemPath", "path")
    if kind == "File" and file is not None and not str(file).startswith("/"):
        yield Problem("K161", (*path, "source", "fileSystemPath", "path"), "must be an absolute path")
    filters = document.get(*path, "source", "filter", "metricsFormat", default=[])
    if filters and document.get(*path, "source", "fileSystemPath", "format") == "JSON":
        yield Problem("K162", (*path, "source", "filter"), "is not for the format JSON")
    for index, pattern in enumerate(filters):
        yield from _filter((*path, "source", "filter", "metricsFormat", index), str(pattern), str(kind))


def _filter(path: FieldPath, pattern: str, kind: str) -> Iterator[Problem]:
    # For StdOut the webhook does not look; a bad filter then reaches the collector, which stops.
    code = "K163" if kind == "File" else "K211"
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        yield Problem(code, path, f"not a regular expression: {error}")
        return
    if groups < 2:  # noqa: PLR2004 - name and value
        yield Problem(code, path, f"needs two groups, name and value, has {groups}")
    if ";" in pattern:
        yield Problem("K212", path, "a ';' splits the filter in two on its way to the collector")
