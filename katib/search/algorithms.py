"""Katib's algorithms and our own: the settings of each, and the sampler that runs it here.

Source of names and settings: Katib v0.19, standalone katib-config and the services'
ValidateAlgorithmSettings.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from katib.errors import InvalidExperiment
from katib.search.conditions import read_conditions
from katib.search.families import family_parameters, model_parameter
from katib.search.portfolio import portfolio_points
from katib.search.scales import assumed_log_scales
from katib.space import Parameter

Check = Callable[[str], bool]
INTEGER = re.compile(r"-?[0-9]{1,18}")


def _integer_from(least: int) -> Check:
    return lambda text: bool(INTEGER.fullmatch(text)) and int(text) >= least


def _number_above(bound: float) -> Check:
    def check(text: str) -> bool:
        try:
            return float(text) > bound
        except ValueError:
            return False

    return check


def _one_of(*allowed: str) -> Check:
    return lambda text: text in allowed


def _is_point(text: str) -> bool:
    """Whether it is a JSON object of texts, booleans, nulls and numbers."""
    try:
        values = [value for value in json.loads(text).values() if not isinstance(value, str | None)]
        return all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    except (ValueError, AttributeError, OverflowError, RecursionError):
        return False


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One algorithm of Katib, or ours.

    Attributes:
        settings: name -> check of the text; None where the service takes anything.
        sampler: what the local engine and our service run for it; empty where they have nothing.
        note: how that differs from Katib's service.
        assumes_scales: whether a wide range without a stated scale is searched on a log scale.
    """

    settings: dict[str, Check] | None
    sampler: str = ""
    note: str = ""
    assumes_scales: bool = False

    @property
    def local(self) -> bool:
        """Whether the local engine can run it."""
        return bool(self.sampler)


SEED = {"random_state": _integer_from(0)}
TPE = "tpe"
CMAES = "cmaes"
SAMPLERS = {TPE: "Optuna TPE", CMAES: "Optuna CMA-ES", "sobol": "SciPy Sobol"}
ALGORITHMS: dict[str, Algorithm] = {
    "random": Algorithm(SEED, "random"),
    "grid": Algorithm(
        SEED, "grid", "every combination, the parameters listed first varying slowest"
    ),
    "bayesianoptimization": Algorithm(
        SEED
        | {
            "base_estimator": _one_of("GP", "RF", "ET", "GBRT"),
            "n_initial_points": _integer_from(1),
            "acq_func": _one_of("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
            "acq_optimizer": _one_of("auto", "sampling", "lbfgs"),
        },
        TPE,
        "Katib uses scikit-optimize, which is no longer maintained",
        assumes_scales=True,
    ),
    "tpe": Algorithm(
        SEED
        | {
            "gamma": _number_above(0),
            "prior_weight": _number_above(0),
            "n_EI_candidates": _integer_from(1),
        },
        TPE,
        "Katib uses hyperopt",
    ),
    "multivariate-tpe": Algorithm(
        SEED | {"n_startup_trials": _integer_from(0), "n_ei_candidates": _integer_from(1)},
        TPE,
        "Katib uses Optuna 3.3",
    ),
    "cmaes": Algorithm(
        SEED | {"sigma": _number_above(0), "restart_strategy": _one_of("none", "ipop", "bipop")},
        CMAES,
        "warm-started from all finished trials at every batch, where Katib's keeps its state in"
        " memory",
    ),
    "sobol": Algorithm(None, "sobol"),
    # Ours, where its service is registered (docs/suggestion.md).
    "tunegate": Algorithm(
        SEED
        | {
            "n_initial_points": _integer_from(1),
            "first": _is_point,
            "conditions": bool,
            "scales": _one_of("auto", "declared"),
            "portfolio": _one_of("auto", "none"),
        },
        TPE,
        "the same code as the suggestion service's",
        assumes_scales=True,
    ),
    "hyperband": Algorithm(None),
    "pbt": Algorithm(None),
    "enas": Algorithm(None),
    "darts": Algorithm(None),
}


def settings_problems(
    name: str, settings: dict[str, str], choices: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Yield (setting, message) for each setting that the algorithm's service would refuse.

    Args:
        name: of the algorithm.
        settings: what is set.
        choices: the listed values of each parameter of the space, none for a range.
    """
    known = ALGORITHMS[name].settings
    if known is None:
        return
    for setting, value in settings.items():
        if setting not in known:
            hint = "; the seed is called random_state" if setting == "seed" else ""
            yield setting, f"{setting} is not a setting of {name} (known: {', '.join(known)}){hint}"
        elif not known[setting](value):
            yield setting, f"{value!r} is not allowed for {setting}"
        elif setting == "conditions":
            yield from _conditions_problems(value, choices)


def _conditions_problems(
    text: str, choices: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    try:
        read_conditions(text, choices)
    except InvalidExperiment as error:
        yield "conditions", str(error)


def describe_sampler(
    name: str, parameters: Sequence[Parameter] = (), settings: Mapping[str, str] | None = None
) -> str:
    """Return one line: the sampler that runs here under this name, and what it assumes."""
    algorithm = ALGORITHMS[name]
    text = f"{name} -> {SAMPLERS.get(algorithm.sampler, algorithm.sampler)}"
    if algorithm.note:
        text += f" ({algorithm.note})"
    assumed = assumed_log_scales(parameters, settings or {})
    if algorithm.assumes_scales and assumed:
        text += f"; taken to be on a log scale: {', '.join(assumed)}"
    choices = {p.name: p.choices for p in parameters}
    families = family_parameters(choices)
    if families:
        model = model_parameter(choices)
        text += (
            f"; {len(families)} parameters belong to one {model} each, by their names "
            f"({next(iter(families))}), and are ignored where it is another"
        )
    known = len(known_points(name, parameters, settings or {}))
    if known and families:
        text += f"; begins with one trial of each of {known} models"
    elif known:
        text += f"; without earlier trials, begins with {known} points that are good on other data"
    return text


def known_points(
    name: str, parameters: Sequence[Parameter], settings: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return the points with which a search begins while nothing is known about the data."""
    if ALGORITHMS[name].sampler == TPE:
        return portfolio_points(parameters, settings)
    return []
