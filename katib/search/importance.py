"""Which parameters mattered, by Optuna's importance evaluator."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

from katib.space import Parameter

MIN_TRIALS = 4

optuna.logging.set_verbosity(optuna.logging.ERROR)


def parameter_importances(
    parameters: Sequence[Parameter],
    trials: Sequence[tuple[dict[str, str], float]],
    *,
    minimize: bool,
) -> dict[str, float]:
    """Return each parameter's share of what decided the objective, most important first.

    Source: PED-ANOVA (Watanabe, Bansal and Hutter 2023), which needs no scikit-learn.

    Args:
        parameters: the search space.
        trials: (assignments, objective) of finished trials.
        minimize: whether less is better.

    Returns:
        name -> share of 1; empty with fewer than `MIN_TRIALS` trials, or where all are equal.
    """
    trials = [
        (assignments, value) for assignments, value in trials if _in_space(parameters, assignments)
    ]
    if len(trials) < MIN_TRIALS or len({value for _, value in trials}) == 1:
        return {}
    spaces: dict[str, BaseDistribution] = {p.name: _importance_space(p) for p in parameters}
    study = optuna.create_study(direction="minimize" if minimize else "maximize")
    for assignments, value in trials:
        params = {p.name: _value_in_space(p, assignments[p.name]) for p in parameters}
        study.add_trial(create_trial(value=value, params=params, distributions=spaces))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _in_space(parameters: Sequence[Parameter], assignments: dict[str, str]) -> bool:
    """Whether a trial is one of this space; on a cluster its Experiment may have had another."""
    return all(
        p.name in assignments and (not p.choices or assignments[p.name] in p.choices)
        for p in parameters
    )


def _importance_space(p: Parameter) -> BaseDistribution:
    if p.choices:
        return CategoricalDistribution(p.choices)
    return FloatDistribution(0, 1)


def _value_in_space(p: Parameter, value: str) -> str | float:
    """Return a choice, or a number's place between the bounds, which some services ignore."""
    if p.choices:
        return value
    return min(max(p.to_unit(value), 0.0), 1.0)
