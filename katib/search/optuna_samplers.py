"""Optuna's samplers: TPE and CMA-ES, told everything that was tried, then asked."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from katib.space import Assignments, Parameter, Seen

STARTUP_TRIALS = 10
CANDIDATES = 24
MANY = 1_000_000  # steps
LARGEST_INT = 2**53  # Optuna keeps integers as floats
STATES = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL, "running": TrialState.RUNNING}

optuna.logging.set_verbosity(optuna.logging.ERROR)


def optuna_points(
    parameters: Sequence[Parameter], seen: Sequence[Seen], sampler: BaseSampler, *, minimize: bool
) -> Iterator[Assignments]:
    """Yield points without end; those that were yielded are running ones to the sampler: it keeps away from them."""
    axes = {p.name: _Axis(p) for p in parameters}
    study = optuna.create_study(direction="minimize" if minimize else "maximize", sampler=sampler)
    study.add_trials([_frozen(trial, axes) for trial in seen])
    distributions: dict[str, BaseDistribution] = {
        name: axis.distribution for name, axis in axes.items()
    }
    while True:
        found = study.ask(distributions).params
        yield {name: axis.outward(found[name]) for name, axis in axes.items()}


def make_sampler(
    kind: str,
    parameters: Sequence[Parameter],
    seen: Sequence[Seen],
    settings: Mapping[str, str],
    seed: int,
) -> BaseSampler:
    """Return the Tree-structured Parzen Estimator, or CMA-ES, with what the algorithm's settings say."""
    if kind == "cmaes":
        return _cmaes(parameters, seen, seed)
    startup = int(settings.get("n_startup_trials", STARTUP_TRIALS))
    candidates = next(
        (int(value) for name, value in settings.items() if name.lower() == "n_ei_candidates"),
        CANDIDATES,
    )
    return TPESampler(seed=seed, n_startup_trials=startup, n_ei_candidates=candidates)


def _cmaes(parameters: Sequence[Parameter], seen: Sequence[Seen], seed: int) -> BaseSampler:
    """Return CMA-ES, warm-started from what is complete; random points before there is enough of it."""
    axes = {p.name: _Axis(p) for p in parameters}
    complete = [_frozen(trial, axes) for trial in seen if trial.state == "complete"]
    if len(complete) < STARTUP_TRIALS:
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # source_trials
        numeric = [_numbers(trial) for trial in complete]
        return CmaEsSampler(seed=seed, source_trials=numeric, warn_independent_sampling=False)


class _Axis:
    """One parameter as Optuna sees it: ordered ones as numbers, so that neighbours are neighbours."""

    def __init__(self, parameter: Parameter) -> None:
        self.p = parameter
        self.distribution = self._choose()

    def inward(self, value: str) -> Any:  # noqa: ANN401 - the type follows the distribution
        """Turn Katib's string into Optuna's value."""
        if self.p.kind == "categorical":
            return value
        if self.p.kind == "discrete":
            return self.p.choices.index(value)
        if self.unit:
            return self.p.to_unit(value)
        if self.p.kind == "int":
            return int(value)
        return float(value)

    def outward(self, value: Any) -> str:  # noqa: ANN401
        """Turn Optuna's value into Katib's string."""
        if self.p.kind == "categorical":
            return str(value)
        if self.p.kind == "discrete":
            return str(self.p.choices[value])
        if self.unit:
            return self.p.from_unit(value)
        return self.p.snap(value)

    @property
    def unit(self) -> bool:
        """Whether Optuna has no distribution for it, so that it searches [0, 1] and `Parameter` maps."""
        stepped_log = self.p.distribution == "logUniform" and self.p.step not in {None, 1.0}
        large = self.p.kind == "int" and max(-self.p.low, self.p.high) > LARGEST_INT
        return self.p.distribution in {"normal", "logNormal"} or stepped_log or large

    def _choose(self) -> BaseDistribution:
        p = self.p
        if p.kind == "categorical":
            return CategoricalDistribution(p.choices)
        if p.kind == "discrete":
            return IntDistribution(0, len(p.choices) - 1)
        if self.unit:
            return FloatDistribution(0.0, 1.0)
        # Its check that a value lies on a step is too strict for the rounding of many; we round by ourselves anyway.
        log = p.distribution == "logUniform"
        many = p.size > MANY
        if p.kind == "int":
            step = round(p.step or 1)
            return IntDistribution(
                int(p.low), int(p.last), log=log, step=1 if log or many else step
            )
        return FloatDistribution(p.low, p.last, log=log, step=None if log or many else p.step)


def _frozen(trial: Seen, axes: Mapping[str, _Axis]) -> FrozenTrial:
    return create_trial(
        state=STATES[trial.state],
        value=trial.value if trial.state == "complete" else None,
        params={name: axes[name].inward(value) for name, value in trial.assignments.items()},
        distributions={name: axes[name].distribution for name in trial.assignments},
    )


def _numbers(trial: FrozenTrial) -> FrozenTrial:
    """Return what CMA-ES can learn from: neither categories, which are drawn at random, nor what has one value only."""
    kept = {
        n
        for n, d in trial.distributions.items()
        if not (isinstance(d, CategoricalDistribution) or d.single())
    }
    distributions = {name: trial.distributions[name] for name in kept}
    params = {name: trial.params[name] for name in distributions}
    return create_trial(value=trial.value, params=params, distributions=distributions)
