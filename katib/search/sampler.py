"""Ask for trials: every sampler behind one function without memory.

Everything that decides is an argument: the trials so far, in the order in which they were asked for, and a seed from
which each call derives its own by the number of trials. So a search that was interrupted goes on exactly as it would
have, and the same code can serve a stateless suggestion service.

Measured background for the choices here (batches, reseeding, the first point): docs/decisions/0005-search.md.
"""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from katib.errors import SpaceExhausted
from katib.search.algorithms import ALGORITHMS, GAUSSIAN, known_points
from katib.search.conditions import conditions_of, settled
from katib.search.portfolio import plain
from katib.search.scales import scaled
from katib.space import Assignments, Parameter, Seen

__all__ = ["Assignments", "Search", "Seen"]
RETRIES = 20
LARGEST_GRID = 1_000_000  # points that are gone through in search of one that has not been tried


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
        earlier: complete trials of earlier searches with the same objective on the same data: learnt from, not tried
            again, not even as the first point; those outside the space are passed over.
    """

    parameters: tuple[Parameter, ...]
    algorithm: str
    settings: Mapping[str, str]
    minimize: bool
    seed: int
    first: Mapping[str, object]
    earlier: tuple[Seen, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "earlier", tuple(self._fitting(self.earlier)))

    def ask(self, seen: Sequence[Seen], count: int, asked: int | None = None) -> list[Assignments]:
        """Return up to `count` new points, none of them asked for before or tried earlier, fewer when the space ends.

        Args:
            seen: all trials so far, in the order in which they were asked for.
            count: how many points are wanted.
            asked: how many points were asked for so far, where `seen` lacks some of them.

        Raises:
            SpaceExhausted: when there is no new point at all.
        """
        seen, asked = list(seen), len(seen) if asked is None else asked
        space = {p.name: p for p in self.parameters}
        conditions = conditions_of(self.settings, self.parameters)
        taken = {
            _key(settled(trial.assignments, conditions, space)) for trial in (*self.earlier, *seen)
        }
        points: list[Assignments] = []
        for candidate in self._candidates(seen, asked, count + RETRIES):
            point = settled(candidate, conditions, space)
            if (key := _key(point)) not in taken:
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

    def _candidates(self, seen: Sequence[Seen], asked: int, tries: int) -> Iterator[Assignments]:
        kind = ALGORITHMS[self.algorithm].sampler
        rng = np.random.default_rng([self.seed, asked])
        if kind == "grid":
            # What `seen` lacks was asked for too: it comes again only after all others.
            yield from self._grid(asked)
            yield from self._grid()
            return
        known = self._known()
        for point in known[asked:]:
            yield {**self._anywhere(rng), **point}
        # What is known has the first place of a design; the rest of a batch goes on with the second.
        yield from itertools.islice(
            self._points(kind, seen, max(asked, min(len(known), 1)), rng), tries
        )
        # The sampler repeats itself: look anywhere, then, where that has an end in sight, everywhere.
        for _ in range(tries):
            yield self._anywhere(rng)
        if math.prod(p.size for p in self.parameters) <= LARGEST_GRID:
            yield from self._grid()

    def _known(self) -> list[Assignments]:
        """Return what a search begins with, each point as far as it is known; many earlier trials know more."""
        first = self._first()
        known = known_points(self.algorithm, self.parameters, self.settings)
        return [first] * bool(first) + (known if len(self.earlier) < len(known) else [])

    def _points(
        self, kind: str, seen: Sequence[Seen], asked: int, rng: np.random.Generator
    ) -> Iterator[Assignments]:
        """Yield what the sampler would try, without end; each is imported where it is needed: that takes a while."""
        fits = [*self.earlier, *(trial for trial in seen if self._holds(trial.assignments))]
        if kind == GAUSSIAN:
            from katib.search.gp_sampler import gaussian_points  # noqa: PLC0415 - SciPy's optimiser

            yield from gaussian_points(
                self.parameters,
                fits,
                self.settings,
                minimize=self.minimize,
                seed=self.seed,
                number=asked,
                rng=rng,
            )
        elif kind in {"tpe", "cmaes"}:
            from katib.search.optuna_samplers import make_sampler, optuna_points  # noqa: PLC0415 - Optuna

            sampler = make_sampler(
                kind, self.parameters, fits, self.settings, int(rng.integers(2**31))
            )
            yield from optuna_points(self.parameters, fits, sampler, minimize=self.minimize)
        elif kind == "sobol":
            yield from self._sobol(len(self.earlier) + asked)
        while True:
            yield self._anywhere(rng)

    def _fitting(self, trials: Iterable[Seen]) -> list[Seen]:
        """Return those that lie in the space, with its own writing of their values: points are compared as text."""
        return [
            replace(
                trial,
                assignments={
                    p.name: p.rewritten(trial.assignments[p.name]) for p in self.parameters
                },
            )
            for trial in trials
            if self._holds(trial.assignments)
        ]

    def _holds(self, assignments: Mapping[str, str]) -> bool:
        named = assignments.keys() == {p.name for p in self.parameters}
        return named and all(p.contains(assignments[p.name]) for p in self.parameters)

    def _anywhere(self, rng: np.random.Generator) -> Assignments:
        if ALGORITHMS[self.algorithm].sampler == GAUSSIAN:
            space = scaled(self.parameters, self.settings)
        else:
            space = self.parameters
        return {p.name: p.from_unit(rng.random()) for p in space}

    def _first(self) -> Assignments:
        """Translate `first` into the space; parameters that it does not name are left to the sampler."""
        takes_it = "first" in (ALGORITHMS[self.algorithm].settings or {})
        first = {**self.first, **(json.loads(self.settings.get("first", "{}")) if takes_it else {})}
        values = {p.name: first[plain(p.name)] for p in self.parameters if plain(p.name) in first}
        near = {p.name: p.nearest(values[p.name]) for p in self.parameters if p.name in values}
        return {name: value for name, value in near.items() if value is not None}

    def _grid(self, skip: int = 0) -> Iterator[Assignments]:
        """Yield every combination from one on, the last parameter changing fastest; none is made before its turn."""
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

    def _sobol(self, skip: int) -> Iterator[Assignments]:
        from scipy.stats import qmc  # noqa: PLC0415 - 0.5 s that only Sobol needs

        sequence = qmc.Sobol(len(self.parameters), rng=np.random.default_rng(self.seed))
        if skip:
            sequence.fast_forward(skip)
        while True:
            point = sequence.random(1)[0]
            yield {
                p.name: p.from_unit(float(u)) for p, u in zip(self.parameters, point, strict=True)
            }


def _key(assignments: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(assignments.items()))
