"""Optuna's samplers, TPE and CMA-ES: frozen about every trial so far, then asked for new points."""

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

from katib.search.algorithms import CMAES, TPE
from katib.search.conditions import conditions_of, inactive_names
from katib.space import Assignments, Parameter, TrialRecord

OptunaValue = Any  # its type follows the distribution
STARTUP_TRIALS = 10
CANDIDATES = 24
FAILED_PER_COMPLETE = 9
# The time that TPE takes for a point grows with the number of trials, but its good ones, a tenth,
# are 25 at most.
MOST_FINISHED = 250
MOST_RUNNING = 100
MOST_GOOD = 25
MANY_STEPS = 1_000_000
LARGEST_INT = 2**53  # Optuna keeps integers as floats

optuna.logging.set_verbosity(optuna.logging.ERROR)


def optuna_points(
    kind: str,
    parameters: Sequence[Parameter],
    trials: Sequence[TrialRecord],
    settings: Mapping[str, str],
    *,
    minimize: bool,
    seed: int,
) -> Iterator[Assignments]:
    """Yield points without end; to the sampler, each point that was yielded is a running trial.

    Args:
        kind: `algorithms.TPE` or `algorithms.CMAES`.
        parameters: the space, on the scales that are searched.
        trials: all trials so far, every one of them in the space, in the order of asking.
        settings: of the algorithm.
        minimize: whether less is better.
        seed: decides about everything that is random.
    """
    if kind == TPE:
        trials = _best_and_latest(trials, minimize=minimize)
    axes = {p.name: _Axis(p) for p in parameters}
    conditions = conditions_of(settings, parameters)
    if kind == CMAES:  # which learns from complete points alone
        conditions = ()
    states = _optuna_states(trials)
    frozen = [
        _frozen_trial(trial, state, axes, inactive_names(trial.assignments, conditions))
        for trial, state in zip(trials, states, strict=True)
    ]
    if kind == CMAES:
        sampler = _make_cmaes(frozen, seed)
    else:
        pairs = zip(trials, states, strict=True)
        endless = sum(
            trial.state == "failed" and state == TrialState.RUNNING for trial, state in pairs
        )
        sampler = _make_tpe(settings, endless, seed, conditional=bool(conditions))
    study = optuna.create_study(direction="minimize" if minimize else "maximize", sampler=sampler)
    study.add_trials(frozen)
    distributions = {name: axis.distribution for name, axis in axes.items()}
    while True:
        found = study.ask(distributions).params
        yield {name: axis.to_katib(found[name]) for name, axis in axes.items()}


def _best_and_latest(trials: Sequence[TrialRecord], *, minimize: bool) -> list[TrialRecord]:
    """Return the trials from which TPE learns: the best ones, and of the others the latest."""
    sign = 1 if minimize else -1
    complete = [(sign * t.value, place) for place, t in enumerate(trials) if t.value is not None]
    best = {place for _, place in sorted(complete)[:MOST_GOOD]}
    room = {True: MOST_RUNNING, False: MOST_FINISHED - len(best)}  # by whether it is running
    kept = list[TrialRecord]()
    for place in reversed(range(len(trials))):
        is_running = trials[place].state == "running"
        if place in best:
            kept.append(trials[place])
        elif room[is_running]:
            kept.append(trials[place])
            room[is_running] -= 1
    return kept[::-1]


def _optuna_states(trials: Sequence[TrialRecord]) -> list[TrialState]:
    """Return the state in which Optuna gets each trial, so that a failed one counts as bad.

    Optuna learns nothing from trials in its own state FAIL, so TPE would return to a region that
    gives no number. A pruned trial without reports ranks behind every complete one. But the best
    tenth of all finished trials are TPE's good ones; where fewer than that are complete, the
    remaining failed trials are passed as running ones, which TPE always takes for bad.
    """
    complete = sum(trial.state == "complete" for trial in trials)
    room = FAILED_PER_COMPLETE * complete
    states = list[TrialState]()
    for trial in trials:
        if trial.state == "complete":
            states.append(TrialState.COMPLETE)
        elif trial.state == "failed" and room > 0:
            states.append(TrialState.PRUNED)
            room -= 1
        else:
            states.append(TrialState.RUNNING)
    return states


def _make_tpe(
    settings: Mapping[str, str], endless: int, seed: int, *, conditional: bool
) -> BaseSampler:
    """Return the Tree-structured Parzen Estimator.

    Args:
        settings: of the algorithm; each of Katib's services has its own names for the same.
        endless: how many failed trials are passed as running ones: they count as startup trials.
        seed: of the sampler.
        conditional: whether trials may lack parameters.
    """
    startup = settings.get("n_startup_trials") or settings.get("n_initial_points")
    candidates = settings.get("n_ei_candidates") or settings.get("n_EI_candidates")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # group
        return TPESampler(
            seed=seed,
            n_startup_trials=max(int(startup or STARTUP_TRIALS) - endless, 0),
            n_ei_candidates=int(candidates or CANDIDATES),
            group=conditional,
        )


def _make_cmaes(frozen: Sequence[FrozenTrial], seed: int) -> BaseSampler:
    """Return CMA-ES, warm-started from complete trials; random search until there are enough."""
    complete = [trial for trial in frozen if trial.state == TrialState.COMPLETE]
    if len(complete) < STARTUP_TRIALS:
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # source_trials
        numeric = [_numeric_trial(trial) for trial in complete]
        return CmaEsSampler(seed=seed, source_trials=numeric, warn_independent_sampling=False)


class _Axis:
    """A parameter as Optuna sees it: ordered values are numbers, so neighbours stay neighbours."""

    def __init__(self, parameter: Parameter) -> None:
        self.p = parameter
        self.distribution = self._choose_distribution()

    def to_optuna(self, value: str) -> OptunaValue:
        """Turn Katib's string into Optuna's value."""
        if self.p.kind == "categorical":
            return value
        if self.p.kind == "discrete":
            return self.p.choices.index(value)
        if self.uses_unit:
            return self.p.to_unit(value)
        if self.p.kind == "int":
            return int(value)
        return float(value)

    def to_katib(self, value: OptunaValue) -> str:
        """Turn Optuna's value into Katib's string."""
        if self.p.kind == "categorical":
            return str(value)
        if self.p.kind == "discrete":
            return str(self.p.choices[value])
        if self.uses_unit:
            return self.p.from_unit(value)
        return self.p.snap(value)

    @property
    def uses_unit(self) -> bool:
        """Whether Optuna searches [0, 1], as it has no such distribution; `Parameter` maps."""
        stepped_log = self.p.distribution == "logUniform" and self.p.step not in {None, 1.0}
        large = self.p.kind == "int" and max(-self.p.low, self.p.high) > LARGEST_INT
        return self.p.distribution in {"normal", "logNormal"} or stepped_log or large

    def _choose_distribution(self) -> BaseDistribution:
        p = self.p
        if p.kind == "categorical":
            return CategoricalDistribution(p.choices)
        if p.kind == "discrete":
            return IntDistribution(0, len(p.choices) - 1)
        if self.uses_unit:
            return FloatDistribution(0.0, 1.0)
        log = p.distribution == "logUniform"
        step = p.step
        # With many steps rounding fails Optuna's check that a value lies on one. `snap` rounds.
        if log or p.size > MANY_STEPS:
            step = None
        if p.kind == "int":
            return IntDistribution(int(p.low), int(p.last), log=log, step=round(step or 1))
        return FloatDistribution(p.low, p.last, log=log, step=step)


def _frozen_trial(
    trial: TrialRecord, state: TrialState, axes: Mapping[str, _Axis], inactive: set[str]
) -> FrozenTrial:
    """Return a trial as Optuna stores it; TPE shall not learn from parameters without effect."""
    active = {name: value for name, value in trial.assignments.items() if name not in inactive}
    return create_trial(
        state=state,
        value=trial.value if state == TrialState.COMPLETE else None,
        params={name: axes[name].to_optuna(value) for name, value in active.items()},
        distributions={name: axes[name].distribution for name in active},
    )


def _numeric_trial(trial: FrozenTrial) -> FrozenTrial:
    """Return what CMA-ES can learn from: numbers that have more than one value.

    Categories are drawn at random.
    """
    distributions = {
        name: distribution
        for name, distribution in trial.distributions.items()
        if not (isinstance(distribution, CategoricalDistribution) or distribution.single())
    }
    params = {name: trial.params[name] for name in distributions}
    return create_trial(value=trial.value, params=params, distributions=distributions)
