"""Our own sampler: a design that fills the space, then Bayesian optimisation."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from katib.search.acquisition import proposals
from katib.search.conditions import conditions_of
from katib.search.scales import scaled
from katib.search.unit_cube import Cube, Numbers
from katib.space import Assignments, Parameter, Seen

INITIAL = 6
MOST_INITIAL = 10_000
LEAST = 2  # complete trials that a model needs


def gaussian_points(  # noqa: PLR0913 - what a search consists of
    parameters: Sequence[Parameter],
    seen: Sequence[Seen],
    settings: Mapping[str, str],
    *,
    minimize: bool,
    seed: int,
    number: int,
    rng: np.random.Generator,
) -> Iterator[Assignments]:
    """Yield points without end.

    Args:
        parameters: the space.
        seen: what was tried, all of it in the space.
        settings: of the algorithm.
        minimize: whether less is better.
        seed: of the search, which decides about the design.
        number: how many points were asked for before.
        rng: decides about everything else.
    """
    space = scaled(parameters, settings)
    cube = Cube(space, conditions_of(settings, space))
    initial = min(int(settings.get("n_initial_points", INITIAL)), MOST_INITIAL)
    design = _latin_hypercube(initial, cube.width, np.random.default_rng([seed, initial]))
    complete = [trial for trial in seen if trial.value is not None]
    for unit in design[number:] if len(complete) < initial else ():
        yield cube.point(cube.snap(unit[None])[0])
    while len(complete) < LEAST:
        yield cube.point(cube.snap(rng.random((1, cube.width)))[0])
    tried = cube.units([trial.assignments for trial in complete])
    losses = np.array([trial.value for trial in complete]) * (1 if minimize else -1)
    pending = cube.units([trial.assignments for trial in seen if trial.state == "running"])
    failed = cube.units([trial.assignments for trial in seen if trial.state == "failed"])
    yield from map(cube.point, proposals(cube, tried, losses, pending, failed, rng))


def _latin_hypercube(count: int, width: int, rng: np.random.Generator) -> Numbers:
    """Return float64 (count, width) with one point in each slice of each axis (McKay, Beckman and Conover 1979)."""
    slices = np.argsort(rng.random((count, width)), axis=0)
    return (slices + rng.random((count, width))) / count
