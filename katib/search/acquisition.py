"""Bayesian optimisation: the next point is where a Gaussian process expects the largest improvement.

Expected improvement over the best loss, as a logarithm (Ament et al. 2023), which tells points apart even where it is
tiny. Points that are being tried get imagined outcomes, drawn from the process itself, and the improvement is the mean
over these (Snoek, Larochelle and Adams 2012, section 3.2). The best candidate is looked for among random points, then
for some rounds among changes of the best ones.
"""

from collections.abc import Iterator

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp

from katib.search.gaussian_process import Process, one_thread
from katib.search.unit_cube import Cube, Numbers

RANDOM = 1024
CHANGED = 512
ROUNDS = 4
PARENTS = 8
WIDTH = 0.3  # of the first round's changes, a standard deviation; each round halves it
WORLDS = 8  # imagined outcomes of what is being tried
# What the process knows of; its cost grows with the third power of the number.
MOST_TRIED = 250
MOST_PENDING = 100
LARGEST = 1e100  # of a loss, so that differences stay finite
# In median distances from the best: what is added before the logarithm, and the largest that counts.
SHARE = 0.25
WORST = 20.0
FAR = -1e3  # standard deviations from where the asymptote is exact enough


def proposals(
    cube: Cube,
    tried: Numbers,
    losses: Numbers,
    pending: Numbers,
    failed: Numbers,
    rng: np.random.Generator,
) -> Iterator[Numbers]:
    """Yield points to try next, each float64 (d,), without end; those yielded are pending from then on.

    Args:
        cube: the space.
        tried: float64 (n, d), at least two.
        losses: float64 (n,), finite; less is better.
        pending: float64 (m, d), what is being tried.
        failed: float64 (k, d), what was tried in vain: nothing is learnt from it, but it is not tried again.
        rng: decides about everything that is random.
    """
    levels = _levels(losses)
    chosen = _chosen(levels, rng)
    with one_thread():
        process = Process.fit(cube.coordinates(tried[chosen]), levels[chosen])
    top = tried[np.argsort(levels, kind="stable")[: PARENTS // 2]]
    while True:
        known = {point.tobytes() for point in np.concatenate([tried, pending, failed])}
        with one_thread():
            if len(pending) <= MOST_PENDING:
                running = pending
            else:
                running = rng.choice(pending, MOST_PENDING, replace=False)
            if len(running):
                believed = process.imagine(cube.coordinates(running), WORLDS, rng)
            else:
                believed = process
            point = _best(cube, believed, known, top, rng)
        pending = np.concatenate([pending, point[None]])
        yield point


def log_improvement(z: Numbers) -> Numbers:
    """Return log(phi(z) + z Phi(z)) without cancellation (Ament et al. 2023, equation 9)."""
    near = np.maximum(z, -1.0)
    far = np.minimum(z, -1.0)
    plain = np.log(np.exp(-(near**2) / 2) / np.sqrt(2 * np.pi) + near * np.exp(log_ndtr(near)))
    rest = np.where(far > FAR, 1 + far * np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2)), 1 / far**2)
    logs: Numbers = np.where(z > -1, plain, np.log(rest) - far**2 / 2 - np.log(2 * np.pi) / 2)
    return logs


def _levels(losses: Numbers) -> Numbers:
    """Return losses that a Gaussian process can stand for: on a log scale from the best one on, standardised.

    A forest that is three times as bad teaches nothing about the differences between good ones.
    """
    losses = np.clip(losses, -LARGEST, LARGEST)
    above = losses - losses.min()
    middle = float(np.median(above)) or float(above.mean()) or 1.0
    logs = np.log(np.minimum(above / middle, WORST) + SHARE)
    spread = logs.std()
    levels: Numbers = (logs - logs.mean()) / (spread if spread > 0 else 1.0)
    return levels


def _chosen(levels: Numbers, rng: np.random.Generator) -> Numbers:
    """Return which trials to learn from: all, or the best ones and some of the others."""
    order = np.argsort(levels, kind="stable")
    half = MOST_TRIED // 2
    others = rng.permutation(order[half:])[: MOST_TRIED - half]
    return np.sort(np.concatenate([order[:half], others]))


def _best(
    cube: Cube, process: Process, known: set[bytes], top: Numbers, rng: np.random.Generator
) -> Numbers:
    pool = cube.snap(rng.random((RANDOM, cube.width)))
    gains = _gains(cube, process, pool, known)
    for turn in range(ROUNDS):
        best = np.argsort(-gains, kind="stable")[:PARENTS]
        new = cube.snap(_changed(cube, np.concatenate([pool[best], top]), WIDTH / 2**turn, rng))
        pool = np.concatenate([pool[best], new])
        gains = np.concatenate([gains[best], _gains(cube, process, new, known)])
    found: Numbers = pool[int(gains.argmax())]
    return found


def _changed(cube: Cube, parents: Numbers, width: float, rng: np.random.Generator) -> Numbers:
    """Return float64 (CHANGED, d): some parent each, with one number or a few moved; a category is drawn anew."""
    children = parents[rng.integers(len(parents), size=CHANGED)]
    moves = rng.random(children.shape) < 1 / cube.width
    moves[np.arange(CHANGED), rng.integers(cube.width, size=CHANGED)] = True
    # Thrown back by an edge, not caught there: Katib does not send a trial that it is about to make, and would get a
    # second one of the exact edge.
    near = np.clip(1 - np.abs(1 - np.abs(children + width * rng.normal(size=children.shape))), 0, 1)
    return np.where(moves, np.where(cube.categorical, rng.random(children.shape), near), children)


def _gains(cube: Cube, process: Process, units: Numbers, known: set[bytes]) -> Numbers:
    """Return the logarithm of the expected improvement at float64 (n, d) over all worlds; -inf where known."""
    mean, deviation = process.predict(cube.coordinates(units))
    improvement = log_improvement((process.best - mean) / deviation[:, None])
    repeated = np.array([point.tobytes() in known for point in units])
    return np.where(repeated, -np.inf, logsumexp(improvement, axis=1) + np.log(deviation))
