"""Ask for trials: Optuna's samplers behind one function without memory.

Everything that decides is an argument: the trials so far, in the order in which they were asked for, and a seed from
which each call derives its own by the number of trials. So a search that was interrupted goes on exactly as it would
have, and the same code can serve a stateless suggestion service.

Measured background for the choices here (batches, reseeding, the first point): docs/decisions/0005-search.md.
"""

import itertools
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from katib.algorithms import ALGORITHMS
from katib.errors import SpaceExhausted
from katib.space import Parameter

Assignments = dict[str, str]
RETRIES = 20
STARTUP_TRIALS = 10

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, slots=True)
class Seen:
    """A trial as the sampler knows it: `value` is None unless it is complete."""

    assignments: Mapping[str, str]
    state: Literal["complete", "failed", "running"]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What to search and how; `first` are the parameters to try first, by hyperparameter name."""

    parameters: tuple[Parameter, ...]
    algorithm: str
    settings: Mapping[str, str]
    minimize: bool
    seed: int
    first: Mapping[str, object]

    def ask(self, seen: Sequence[Seen], count: int, asked: int | None = None) -> list[Assignments]:
        """Return up to `count` new points, none of them asked for before, fewer when the space ends.

        Args:
            seen: all trials so far, in the order in which they were asked for.
            count: how many points are wanted.
            asked: how many points were asked for so far, where `seen` lacks some of them.

        Raises:
            SpaceExhausted: when there is no new point at all.
        """
        taken = {_key(trial.assignments) for trial in seen}
        points: list[Assignments] = []
        for point in self._candidates(seen, len(seen) if asked is None else asked, count + RETRIES):
            if _key(point) not in taken:
                taken.add(_key(point))
                points.append(point)
            if len(points) == count:
                break
        if not points:
            raise SpaceExhausted("every point of the search space has been tried", hint="widen the space, or stop here")
        return points

    def _candidates(self, seen: Sequence[Seen], asked: int, tries: int) -> Iterator[Assignments]:
        sampler = ALGORITHMS[self.algorithm].sampler
        rng = np.random.default_rng([self.seed, asked])
        first = {} if asked else self._first()
        if sampler == "grid":
            # What `seen` lacks was asked for too: it comes again only after all others.
            yield from itertools.islice(self._grid(), asked, None)
            yield from self._grid()
            return
        if sampler == "sobol":
            yield from itertools.islice(self._sobol(asked), tries)
        else:
            yield from itertools.islice(self._optuna(seen, sampler, first, rng), tries)
        # The sampler repeats itself: look anywhere, then, where the space is finite, everywhere.
        for _ in range(tries):
            yield {p.name: p.from_unit(rng.random()) for p in self.parameters}
        if math.prod(p.size for p in self.parameters) < math.inf:
            yield from self._grid()

    def _first(self) -> Assignments:
        """Translate `first` into the space; parameters that it does not name are left to the sampler."""
        takes_it = "first" in (ALGORITHMS[self.algorithm].settings or {})
        first = {**self.first, **(json.loads(self.settings.get("first", "{}")) if takes_it else {})}
        values = {p.name: first[_plain(p.name)] for p in self.parameters if _plain(p.name) in first}
        near = {p.name: p.nearest(values[p.name]) for p in self.parameters if p.name in values}
        return {name: value for name, value in near.items() if value is not None}

    def _grid(self) -> Iterator[Assignments]:
        names = [p.name for p in self.parameters]
        for values in itertools.product(*(p.values() for p in self.parameters)):
            yield dict(zip(names, values, strict=True))

    def _sobol(self, skip: int) -> Iterator[Assignments]:
        from scipy.stats import qmc  # noqa: PLC0415 - 0.5 s that only Sobol needs

        sequence = qmc.Sobol(len(self.parameters), rng=np.random.default_rng(self.seed))
        if skip:
            sequence.fast_forward(skip)
        while True:
            point = sequence.random(1)[0]
            yield {p.name: p.from_unit(float(u)) for p, u in zip(self.parameters, point, strict=True)}

    def _optuna(
        self, seen: Sequence[Seen], sampler: str, first: Assignments, rng: np.random.Generator
    ) -> Iterator[Assignments]:
        axes = {p.name: _Axis(p) for p in self.parameters}
        history = [
            _frozen(trial, axes) for trial in seen if all(axes[n].p.contains(v) for n, v in trial.assignments.items())
        ]
        study = optuna.create_study(
            direction="minimize" if self.minimize else "maximize",
            sampler=self._sampler(sampler, int(rng.integers(2**31)), history),
        )
        study.add_trials(history)
        if first:
            study.enqueue_trial({name: axes[name].inward(value) for name, value in first.items()})
        distributions: dict[str, BaseDistribution] = {name: axis.distribution for name, axis in axes.items()}
        # Trials that were asked for and not told are running ones to the sampler: it keeps away from them.
        while True:
            asked = study.ask(distributions).params
            yield {name: axis.outward(asked[name]) for name, axis in axes.items()}

    def _sampler(self, kind: str, seed: int, history: list[FrozenTrial]) -> BaseSampler:
        complete = [trial for trial in history if trial.state == TrialState.COMPLETE]
        if kind == "cmaes" and len(complete) >= STARTUP_TRIALS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # source_trials
                numeric = [_without_categories(trial) for trial in complete]
                return CmaEsSampler(seed=seed, source_trials=numeric, warn_independent_sampling=False)
        if kind != "tpe":
            return RandomSampler(seed=seed)
        names = ("n_startup_trials", "n_initial_points")
        startup = next((int(self.settings[n]) for n in names if n in self.settings), STARTUP_TRIALS)
        candidates = next((int(v) for n, v in self.settings.items() if n.lower() == "n_ei_candidates"), 24)
        return TPESampler(seed=seed, n_startup_trials=startup, n_ei_candidates=candidates)


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
        return int(value) if self.p.kind == "int" else float(value)

    def outward(self, value: Any) -> str:  # noqa: ANN401
        """Turn Optuna's value into Katib's string."""
        if self.p.kind == "categorical":
            return str(value)
        if self.p.kind == "discrete":
            return str(self.p.choices[value])
        return self.p.from_unit(value) if self.unit else self.p.snap(value)

    @property
    def unit(self) -> bool:
        """Whether Optuna has no distribution for it, so that it searches [0, 1] and `Parameter` maps."""
        stepped_log = self.p.distribution == "logUniform" and self.p.step not in {None, 1.0}
        return self.p.distribution in {"normal", "logNormal"} or stepped_log

    def _choose(self) -> BaseDistribution:
        p = self.p
        if p.kind == "categorical":
            return CategoricalDistribution(p.choices)
        if p.kind == "discrete":
            return IntDistribution(0, len(p.choices) - 1)
        if self.unit:
            return FloatDistribution(0.0, 1.0)
        log = p.distribution == "logUniform"
        if p.kind == "int":
            step = round(p.step or 1)
            return IntDistribution(int(p.low), int(p.last), log=log, step=1 if log else step)
        return FloatDistribution(p.low, p.last, log=log, step=None if log else p.step)


def _frozen(trial: Seen, axes: Mapping[str, _Axis]) -> FrozenTrial:
    states = {"complete": TrialState.COMPLETE, "failed": TrialState.FAIL, "running": TrialState.RUNNING}
    return create_trial(
        state=states[trial.state],
        value=trial.value if trial.state == "complete" else None,
        params={name: axes[name].inward(value) for name, value in trial.assignments.items()},
        distributions={name: axes[name].distribution for name in trial.assignments},
    )


def _without_categories(trial: FrozenTrial) -> FrozenTrial:
    """Return what CMA-ES can learn from: it has no use for categories, which are drawn at random."""
    distributions = {n: d for n, d in trial.distributions.items() if not isinstance(d, CategoricalDistribution)}
    params = {name: trial.params[name] for name in distributions}
    return create_trial(value=trial.value, params=params, distributions=distributions)


def _key(assignments: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(assignments.items()))


def _plain(name: str) -> str:
    return name.strip("-").replace("-", "_")
