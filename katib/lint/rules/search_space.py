"""Rules about what an algorithm's service makes of the search space.

Source: Katib v0.19, pkg/suggestion/v1beta1: skopt (bayesianoptimization), hyperopt (random, tpe),
Optuna (grid, multivariate-tpe), goptuna (cmaes, sobol), hyperband, pbt; and runs of the services.
"""

import math
from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.rules.experiment import ALGORITHM, PARAMETERS, RANGES
from katib.lint.violation import Violation, list_items
from katib.metrics_collector import number

SKOPT = "bayesianoptimization"
HYPEROPT = ("random", "tpe")
OPTUNA = ("grid", "multivariate-tpe")
GOPTUNA = ("cmaes", "sobol")
NORMAL = ("normal", "logNormal")
ENOUGH_MEMORY = 12  # trials that bayesianoptimization finishes with its 100 MiB
LEAST_DIMENSIONS = 2  # of cmaes
LEAST_POPULATION = 5  # of pbt
Fields = dict[str, Any]
Settings = dict[str, tuple[FieldPath, str]]  # name -> where its value stands, and the value


def check_search_space(document: Document) -> Iterator[Violation]:
    """Yield every violation of this algorithm with this space."""
    algorithm = document.get(*ALGORITHM, "algorithmName")
    for path, parameter in list_items(document, *PARAMETERS):
        yield from _check_parameter(path, str(algorithm), parameter)
    settings: Settings = {
        str(setting.get("name")): ((*at, "value"), str(setting.get("value")))
        for at, setting in list_items(document, *ALGORITHM, "algorithmSettings")
    }
    checks = {
        SKOPT: _check_skopt,
        "grid": _check_grid,
        "cmaes": _check_cmaes,
        "hyperband": _check_hyperband,
        "pbt": _check_pbt,
    }
    if check := checks.get(algorithm):
        yield from check(document, settings)
    if document.get("spec", "resumePolicy") == "FromVolume" and algorithm in {*OPTUNA, *GOPTUNA}:
        message = f"{algorithm} keeps nothing in the volume"
        yield Violation("K252", ("spec", "resumePolicy"), message)


def _check_parameter(path: FieldPath, algorithm: str, parameter: Fields) -> Iterator[Violation]:
    path = (*path, "feasibleSpace")
    space = parameter.get("feasibleSpace")
    kind = parameter.get("parameterType")
    if not isinstance(space, dict):
        return
    if not all(isinstance(space.get(name) or "", str) for name in ("min", "max", "step")):
        return
    if kind in RANGES:
        yield from _check_bounds(path, algorithm, space, is_double=kind == "double")
        yield from _check_distribution(path, algorithm, space)
    elif (space.get("distribution") or "uniform") != "uniform":
        message = f"{space['distribution']} has no effect on a {kind} parameter"
        yield Violation("K227", (*path, "distribution"), message)


def _check_bounds(
    path: FieldPath, algorithm: str, space: Fields, *, is_double: bool
) -> Iterator[Violation]:
    low = number(space.get("min"))
    high = number(space.get("max"))
    step = number(space.get("step"))
    if algorithm == "grid" and is_double and step is None:
        yield Violation("K207", path, "grid needs a step for a double", "add step")
    if algorithm == SKOPT and is_double and low is not None and low <= 0:
        message = (
            "Katib's bayesianoptimization puts every double on a log scale "
            "and fails where min is not above 0"
        )
        yield Violation("K208", path, message, "raise min, or use multivariate-tpe")
    if algorithm == SKOPT and step is not None:
        message = "bayesianoptimization ignores it"
        yield Violation("K228", (*path, "step"), message, "use multivariate-tpe")
    if algorithm not in HYPEROPT or space.get("distribution") in NORMAL:
        return
    if step and low is not None and high is not None and not _divides(step, low, high):
        message = f"{algorithm} takes multiples of {space['step']}, also outside min to max"
        yield Violation("K254", (*path, "step"), message)


def _check_distribution(path: FieldPath, algorithm: str, space: Fields) -> Iterator[Violation]:
    path = (*path, "distribution")
    distribution = str(space.get("distribution") or "uniform")
    if algorithm in {SKOPT, *GOPTUNA, "grid"} and distribution != "uniform":
        message = f"{algorithm} ignores it"
        yield Violation("K227", path, message, "use multivariate-tpe, or tpe")
    elif algorithm == "multivariate-tpe" and distribution in NORMAL:
        message = (
            f"{algorithm} leaves a parameter of {distribution} out of what it suggests: "
            "no Trial can be built"
        )
        yield Violation("K229", path, message, "use tpe or random, or logUniform")
    elif algorithm in HYPEROPT and distribution in NORMAL:
        message = f"{algorithm} may suggest values below min or above max"
        yield Violation("K253", path, message)


def _divides(step: float, *bounds: float) -> bool:
    counts = (bound / step for bound in bounds)
    return all(
        not math.isfinite(count) or math.isclose(round(count), count, rel_tol=1e-9, abs_tol=1e-12)
        for count in counts
    )


def _check_skopt(document: Document, settings: Settings) -> Iterator[Violation]:
    path, function = settings.get("acq_func", ((), ""))
    if function in {"EIps", "PIps"}:
        message = f"{function} passes Katib's check and raises at the first finished trial"
        yield Violation("K226", path, message, "use gp_hedge, EI, PI or LCB")
    limit = document.get("spec", "maxTrialCount")
    if not isinstance(limit, int) or limit > ENOUGH_MEMORY:
        message = (
            "bayesianoptimization runs out of its 100 MiB after 12 to 17 trials; "
            "the Experiment then makes no progress"
        )
        fix = "raise the memory limit in katib-config, or use multivariate-tpe"
        yield Violation("K250", (*ALGORITHM, "algorithmName"), message, fix)


def _check_grid(document: Document, _settings: Settings) -> Iterator[Violation]:
    path = ("spec", "maxTrialCount")
    limit = document.get(*path)
    points = math.prod(_grid_size(each) for _, each in list_items(document, *PARAMETERS))
    if math.isinf(points):
        return
    if limit is None:
        message = f"is missing: after all {points:.0f} points of the grid every request fails"
        yield Violation("K223", path, message, f"add maxTrialCount: {points:.0f}")
    elif isinstance(limit, int) and limit > points:
        message = f"{limit} is above the {points:.0f} points of the grid"
        yield Violation("K223", path, message, f"write {points:.0f}")


def _grid_size(parameter: Fields) -> float:
    """Return how many values a grid takes of a parameter; infinity if that is unknown."""
    space = parameter.get("feasibleSpace")
    if not isinstance(space, dict):
        return math.inf
    if parameter.get("parameterType") not in RANGES:
        return len(space.get("list") or []) or math.inf
    low, high, step = (number(str(space.get(name) or "")) for name in ("min", "max", "step"))
    if not step and parameter.get("parameterType") == "int":
        step = 1.0
    if low is None or high is None or not step or step < 0 or high < low:
        return math.inf
    return math.floor((high - low) / step + 1e-9) + 1


def _check_cmaes(document: Document, _settings: Settings) -> Iterator[Violation]:
    parameters = [parameter for _, parameter in list_items(document, *PARAMETERS)]
    dimensions = sum(parameter.get("parameterType") in RANGES for parameter in parameters)
    if dimensions < LEAST_DIMENSIONS:
        message = f"cmaes needs two parameters that are int or double, has {dimensions}"
        yield Violation("K224", PARAMETERS, message, "use tpe")


def _check_hyperband(document: Document, settings: Settings) -> Iterator[Violation]:
    if missing := [name for name in ("r_l", "resource_name") if name not in settings]:
        message = f"hyperband needs the setting {' and '.join(missing)}"
        yield Violation("K225", ALGORITHM, message)
        return
    path, resource = settings["resource_name"]
    if resource not in [each.get("name") for _, each in list_items(document, *PARAMETERS)]:
        yield Violation("K225", path, f"{resource} is not in spec.parameters")
    limit_path, limit_text = settings["r_l"]
    limit = number(limit_text)
    eta_path, eta_text = settings.get("eta", (ALGORITHM, "3"))
    eta = number(eta_text)
    if limit is None or limit <= 0:
        yield Violation("K225", limit_path, "r_l must be a number above 0")
    elif eta is None or int(eta) == 1:
        yield Violation("K225", eta_path, "eta must be a whole number above 1")
    else:
        yield from _check_brackets(document, limit, int(eta) if eta >= 1 else 3)


def _check_brackets(document: Document, limit: float, eta: int) -> Iterator[Violation]:
    least = math.ceil(eta ** int(math.log(limit) / math.log(eta)))
    parallel = document.get("spec", "parallelTrialCount", default=3)
    if isinstance(parallel, int) and parallel < least:
        message = f"hyperband needs at least {least} here, is {parallel}"
        yield Violation("K225", ("spec", "parallelTrialCount"), message, f"write {least}")


def _check_pbt(document: Document, settings: Settings) -> Iterator[Violation]:
    needed = ("suggestion_trial_dir", "n_population", "truncation_threshold")
    if missing := [name for name in needed if name not in settings]:
        yield Violation("K225", ALGORITHM, f"pbt needs the setting {' and '.join(missing)}")
        return
    path, population = settings["n_population"]
    if not population.isdecimal() or int(population) < LEAST_POPULATION:
        message = f"n_population must be an integer of at least {LEAST_POPULATION}"
        yield Violation("K225", path, message)
    path, text = settings["truncation_threshold"]
    share = number(text)
    if share is None or not 0 <= share <= 1:
        yield Violation("K225", path, "truncation_threshold must be from 0 to 1")
    if "resample_probability" in settings:
        path, _ = settings["resample_probability"]
        message = "Katib's check of resample_probability fails on any value"
        yield Violation("K225", path, message, "leave it out")
    if document.get("spec", "resumePolicy") != "FromVolume":
        message = "pbt needs FromVolume: its trials share that volume"
        yield Violation("K225", ("spec", "resumePolicy"), message)
