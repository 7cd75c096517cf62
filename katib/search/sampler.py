"""Ask for trials: every sampler behind one function without memory.

Everything that decides is an argument: the trials so far, in the order of asking, and a seed, from
which each call derives its own by the number of trials. So a search that was interrupted continues
exactly as if it had not been, and a suggestion service without state can use the same code.

Measured background for the choices here (batches, reseeding, the first point):
docs/decisions/0005-search.md.
"""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from katib.errors import SpaceExhausted
from katib.search.algorithms import ALGORITHMS, CMAES, TPE, known_points
from katib.search.conditions import conditions_of, fix_inactive
from katib.search.families import sklearn_name
from katib.search.scales import assume_scales
from katib.space import Assignments, Parameter, TrialRecord

__all__ = ["Assignments", "Search", "TrialRecord"]
RETRIES = 20
LARGEST_GRID = 1_000_000  # points; a larger grid is not scanned for one that has not been tried


@dataclass(frozen=True, slots=True)
class Search:
    """What to search and how.

    Attributes:
        parameters: the space.
        algorithm: Katib's name for the way, or ours.
        settings: of the algorithm.
        minimize: whether less is better.
        seed: decides about everything that is random.
        first: the parameters to try first, by hyperparameter name.
        earlier: complete trials of earlier searches with the same objective on the same data. The
            sampler learns from them, and their points are not tried again, not even as the first
            point. Trials outside the space are ignored.
    """

    parameters: tuple[Parameter, ...]
    algorithm: str
    settings: Mapping[str, str]
    minimize: bool
    seed: int
    first: Mapping[str, object]
    earlier: tuple[TrialRecord, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "earlier", tuple(self._normalized(self.earlier)))

    def ask(
        self, trials: Sequence[TrialRecord], count: int, asked: int | None = None
    ) -> list[Assignments]:
        """Return up to `count` new points; fewer when the space ends.

        None of them was asked for before, or tried by an earlier search.

        Args:
            trials: all trials so far, in the order in which they were asked for.
            count: how many points are wanted.
            asked: how many points were asked for so far, where `trials` lacks some of them.

        Raises:
            SpaceExhausted: when there is no new point at all.
        """
        if asked is None:
            asked = len(trials)
        space = {p.name: p for p in self.parameters}
        conditions = conditions_of(self.settings, self.parameters)
        taken = {
            _point_key(fix_inactive(trial.assignments, conditions, space))
            for trial in (*self.earlier, *trials)
        }
        points: list[Assignments] = []
        for candidate in self._candidates(trials, asked, count + RETRIES):
            point = fix_inactive(candidate, conditions, space)
            key = _point_key(point)
            if key not in taken:
                taken.add(key)
                points.append(point)
            if len(points) == count:
                break
        if not points:
            raise SpaceExhausted(
                "every point of the search space has been tried",
                hint="widen the space, or stop here",
            )
        return points

    def _candidates(
        self, trials: Sequence[TrialRecord], asked: int, tries: int
    ) -> Iterator[Assignments]:
        kind = ALGORITHMS[self.algorithm].sampler
        rng = np.random.default_rng([self.seed, asked])
        if kind == "grid":
            # Points that `trials` lacks were asked for too: they come again after all others.
            yield from self._grid_points(asked)
            yield from self._grid_points()
            return
        known = self._known_points()
        for point in known[asked:]:
            yield {**self._random_point(rng), **point}
        # A known first point takes the first place of a sequence.
        place = max(asked, min(len(known), 1))
        yield from itertools.islice(self._sampled_points(kind, trials, place, rng), tries)
        # The sampler repeats itself: try random points, then, where that can end, every point.
        for _ in range(tries):
            yield self._random_point(rng)
        if math.prod(p.size for p in self.parameters) <= LARGEST_GRID:
            yield from self._grid_points()

    def _known_points(self) -> list[Assignments]:
        """Return the points with which a search begins, each as far as it is known.

        Many earlier trials know more about the data than forests that are good on other data.
        """
        points = known_points(self.algorithm, self.parameters, self.settings)
        if len(self.earlier) >= len(points):
            points = []
        first = self._first_point()
        if first:
            points = [first, *points]
        return points

    def _sampled_points(
        self, kind: str, trials: Sequence[TrialRecord], place: int, rng: np.random.Generator
    ) -> Iterator[Assignments]:
        """Yield the sampler's points without end, of a sequence those from a place on."""
        if kind in {TPE, CMAES}:
            from katib.search.optuna_samplers import optuna_points  # noqa: PLC0415 - slow to import

            inside = (trial for trial in trials if self._contains(trial.assignments))
            yield from optuna_points(
                kind,
                self._searched_parameters(),
                [*self.earlier, *inside],
                self.settings,
                minimize=self.minimize,
                seed=int(rng.integers(2**31)),
            )
        elif kind == "sobol":
            yield from self._sobol_points(len(self.earlier) + place)
        while True:
            yield self._random_point(rng)

    def _searched_parameters(self) -> tuple[Parameter, ...]:
        if ALGORITHMS[self.algorithm].assumes_scales:
            return assume_scales(self.parameters, self.settings)
        return self.parameters

    def _normalized(self, trials: Iterable[TrialRecord]) -> Iterator[TrialRecord]:
        """Yield the trials inside the space, their values as it writes them: text is compared."""
        for trial in trials:
            if self._contains(trial.assignments):
                yield replace(
                    trial,
                    assignments={
                        p.name: p.rewritten(trial.assignments[p.name]) for p in self.parameters
                    },
                )

    def _contains(self, assignments: Mapping[str, str]) -> bool:
        same_names = assignments.keys() == {p.name for p in self.parameters}
        return same_names and all(p.contains(assignments[p.name]) for p in self.parameters)

    def _random_point(self, rng: np.random.Generator) -> Assignments:
        return {p.name: p.from_unit(rng.random()) for p in self._searched_parameters()}

    def _first_point(self) -> Assignments:
        """Translate `first` into the space; a parameter that it lacks is left to the sampler."""
        first = dict(self.first)
        if "first" in (ALGORITHMS[self.algorithm].settings or {}):
            first |= json.loads(self.settings.get("first", "{}"))
        point = Assignments()
        for p in self.parameters:
            name = sklearn_name(p.name)
            value = p.nearest(first[name]) if name in first else None
            if value is not None:
                point[p.name] = value
        return point

    def _grid_points(self, skip: int = 0) -> Iterator[Assignments]:
        """Yield every combination from one on, the last parameter changing fastest.

        A combination is made when it is asked for.
        """
        sizes = [int(p.size) for p in self.parameters]
        for number in itertools.count(skip):
            places = list[int]()
            rest = number
            for size in reversed(sizes):
                rest, place = divmod(rest, size)
                places.append(place)
            if rest:
                return
            yield {
                p.name: p.value(k) for p, k in zip(self.parameters, reversed(places), strict=True)
            }

    def _sobol_points(self, skip: int) -> Iterator[Assignments]:
        from scipy.stats import qmc  # noqa: PLC0415 - 0.5 s that only Sobol needs

        sequence = qmc.Sobol(len(self.parameters), rng=np.random.default_rng(self.seed))
        if skip:
            sequence.fast_forward(skip)
        while True:
            point = sequence.random(1)[0]
            yield {
                p.name: p.from_unit(float(u)) for p, u in zip(self.parameters, point, strict=True)
            }


def _point_key(assignments: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(assignments.items()))
