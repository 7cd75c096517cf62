"""Rules about what an algorithm's service makes of the search space.

Source: Katib v0.19, pkg/suggestion/v1beta1: skopt (bayesianoptimization), hyperopt (random, tpe), Optuna (grid,
multivariate-tpe), goptuna (cmaes, sobol), hyperband, pbt; and runs of the services.
"""

import math
from collections.abc import Iterator
from typing import Any

from katib.document import Document, FieldPath
from katib.lint.problem import Problem, items
from katib.metrics_collector import number

SKOPT = "bayesianoptimization"
HYPEROPT = ("random", "tpe")
OPTUNA = ("grid", "multivariate-tpe")
GOPTUNA = ("cmaes", "sobol")
RANGES = ("int", "double")
ENOUGH_MEMORY = 12  # trials that bayesianoptimization lives through with the 100 MiB that it gets
LEAST_POPULATION = 5
Settings = dict[str, tuple[FieldPath, str]]


def check(document: Document) -> Iterator[Problem]:
    """Yield every problem of this algorithm with this space."""
    algorithm = document.get("spec", "algorithm", "algorithmName")
    for at, parameter in items(document, "spec", "parameters"):
        space = parameter.get("feasibleSpace")
        if isinstance(space, dict) and all(
            isinstance(space.get(n) or "", str) for n in ("min", "max", "step")
        ):
            yield from _parameter(
                (*at, "feasibleSpace"), str(algorithm), str(parameter.get("parameterType")), space
            )
    settings: Settings = {
        str(s.get("name")): ((*at, "value"), str(s.get("value")))
        for at, s in items(document, "spec", "algorithm", "algorithmSettings")
    }
    rules = {SKOPT: _skopt, "grid": _grid, "cmaes": _cmaes, "hyperband": _hyperband, "pbt": _pbt}
    if rule := rules.get(algorithm):
        yield from rule(document, settings)
    if document.get("spec", "resumePolicy") == "FromVolume" and algorithm in {*OPTUNA, *GOPTUNA}:
        yield Problem("K252", ("spec", "resumePolicy"), f"{algorithm} keeps nothing in the volume")


def _parameter(
    path: FieldPath, algorithm: str, kind: str, space: dict[str, Any]
) -> Iterator[Problem]:
    low, high, step = (number(space.get(name)) for name in ("min", "max", "step"))
    distribution = str(space.get("distribution") or "uniform")
    if kind not in RANGES:
        if distribution != "uniform":
            yield Problem(
                "K227",
                (*path, "distribution"),
                f"{distribution} has no effect on a {kind} parameter",
            )
        return
    if algorithm == "grid" and kind == "double" and step is None:
        yield Problem("K207", path, "grid needs a step for a double", "add step")
    if algorithm == SKOPT and kind == "double" and low is not None and low <= 0:
        message = "Katib's bayesianoptimization puts every double on a log scale and fails where min is not above 0"
        yield Problem("K208", path, message, "raise min, or use multivariate-tpe")
    if algorithm == SKOPT and step is not None:
        yield Problem(
            "K228",
            (*path, "step"),
            "bayesianoptimization does not look at it",
            "use multivariate-tpe",
        )
    if (
        algorithm in {SKOPT, *GOPTUNA, "grid"}
        and distribution != "uniform"
        and not _drops(algorithm, distribution)
    ):
        yield Problem(
            "K227",
            (*path, "distribution"),
            f"{algorithm} does not look at it",
            "use multivariate-tpe, or tpe",
        )
    if _drops(algorithm, distribution):
        message = f"{algorithm} leaves a parameter of {distribution} out of what it suggests: no Trial can be built"
        yield Problem("K229", (*path, "distribution"), message, "use tpe or random, or logUniform")
    if algorithm in HYPEROPT and "ormal" in distribution:
        yield Problem(
            "K253",
            (*path, "distribution"),
            f"{algorithm} may suggest values below min or above max",
        )
    elif (
        algorithm in HYPEROPT
        and step
        and low is not None
        and high is not None
        and not _fits(low, high, step)
    ):
        yield Problem(
            "K254",
            (*path, "step"),
            f"{algorithm} takes multiples of {space['step']}, also outside min to max",
        )


def _drops(algorithm: str, distribution: str) -> bool:
    return algorithm == "multivariate-tpe" and distribution in {"normal", "logNormal"}


def _fits(low: float, high: float, step: float) -> bool:
    counts = (end / step for end in (low, high))
    return all(
        not math.isfinite(n) or math.isclose(round(n), n, rel_tol=1e-9, abs_tol=1e-12)
        for n in counts
    )


def _skopt(document: Document, settings: Settings) -> Iterator[Problem]:
    at, function = settings.get("acq_func", ((), ""))
    if function in {"EIps", "PIps"}:
        message = f"{function} passes Katib's check and raises at the first finished trial"
        yield Problem("K226", at, message, "use gp_hedge, EI, PI or LCB")
    limit = document.get("spec", "maxTrialCount")
    if not isinstance(limit, int) or limit > ENOUGH_MEMORY:
        message = "bayesianoptimization runs out of its 100 MiB after 12 to 17 trials, and the Experiment then stands still"
        fix = "raise the memory limit in katib-config, or use multivariate-tpe"
        yield Problem("K250", ("spec", "algorithm", "algorithmName"), message, fix)


def _grid(document: Document, _settings: Settings) -> Iterator[Problem]:
    sizes = [_size(parameter) for _, parameter in items(document, "spec", "parameters")]
    limit = document.get("spec", "maxTrialCount")
    points = math.prod(sizes)
    if math.isinf(points):
        return
    if limit is None:
        message = f"is missing: after all {points:.0f} points of the grid every request fails"
        yield Problem(
            "K223", ("spec", "maxTrialCount"), message, f"add maxTrialCount: {points:.0f}"
        )
    elif isinstance(limit, int) and limit > points:
        message = f"{limit} is above the {points:.0f} points of the grid"
        yield Problem("K223", ("spec", "maxTrialCount"), message, f"write {points:.0f}")


def _size(parameter: dict[str, Any]) -> float:
    space = parameter.get("feasibleSpace")
    if not isinstance(space, dict):
        return math.inf
    if parameter.get("parameterType") not in RANGES:
        return len(space.get("list") or []) or math.inf
    low, high, step = (number(str(space.get(name) or "")) for name in ("min", "max", "step"))
    step = step or (1.0 if parameter.get("parameterType") == "int" else None)
    if low is None or high is None or not step or step < 0 or high < low:
        return math.inf
    return math.floor((high - low) / step + 1e-9) + 1


def _cmaes(document: Document, _settings: Settings) -> Iterator[Problem]:
    numbers = [
        p for _, p in items(document, "spec", "parameters") if p.get("parameterType") in RANGES
    ]
    if len(numbers) < 2:  # noqa: PLR2004 - dimensions
        message = f"cmaes needs two parameters that are int or double, has {len(numbers)}"
        yield Problem("K224", ("spec", "parameters"), message, "use tpe")


def _hyperband(document: Document, settings: Settings) -> Iterator[Problem]:
    path: FieldPath = ("spec", "algorithm")
    missing = [name for name in ("r_l", "resource_name") if name not in settings]
    if missing:
        yield Problem("K225", path, f"hyperband needs the setting {' and '.join(missing)}")
        return
    names = [p.get("name") for _, p in items(document, "spec", "parameters")]
    at, resource = settings["resource_name"]
    if resource not in names:
        yield Problem("K225", at, f"{resource} is not in spec.parameters")
    limit = number(settings["r_l"][1])
    eta = number(settings.get("eta", ((), "3"))[1])
    if limit is None or limit <= 0:
        yield Problem("K225", settings["r_l"][0], "r_l must be a number above 0")
    elif eta is None or int(eta) == 1:
        yield Problem("K225", settings["eta"][0], "eta must be a whole number above 1")
    else:
        yield from _brackets(document, limit, int(eta) if eta >= 1 else 3)


def _brackets(document: Document, limit: float, eta: int) -> Iterator[Problem]:
    least = math.ceil(eta ** int(math.log(limit) / math.log(eta)))
    parallel = document.get("spec", "parallelTrialCount", default=3)
    if isinstance(parallel, int) and parallel < least:
        message = f"hyperband needs at least {least} here, is {parallel}"
        yield Problem("K225", ("spec", "parallelTrialCount"), message, f"write {least}")


def _pbt(document: Document, settings: Settings) -> Iterator[Problem]:
    path: FieldPath = ("spec", "algorithm")
    wanted = ("suggestion_trial_dir", "n_population", "truncation_threshold")
    if missing := [name for name in wanted if name not in settings]:
        yield Problem("K225", path, f"pbt needs the setting {' and '.join(missing)}")
        return
    at, population = settings["n_population"]
    if not population.isdecimal() or int(population) < LEAST_POPULATION:
        yield Problem("K225", at, f"n_population must be an integer of at least {LEAST_POPULATION}")
    at, text = settings["truncation_threshold"]
    share = number(text)
    if share is None or not 0 <= share <= 1:
        yield Problem("K225", at, "truncation_threshold must be from 0 to 1")
    if "resample_probability" in settings:
        at, _ = settings["resample_probability"]
        yield Problem(
            "K225", at, "Katib's check of resample_probability fails on any value", "leave it out"
        )
    if document.get("spec", "resumePolicy") != "FromVolume":
        yield Problem(
            "K225", ("spec", "resumePolicy"), "pbt needs FromVolume: its trials share that volume"
        )
