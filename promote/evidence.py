"""Evidence: paired comparisons of losses, row by row."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promote.verdict import Comparison

Floats = NDArray[np.float64]
Groups = NDArray[np.uint64]
MANY = 10_000  # rows, or groups, of which the mean is normal enough: no resampling is needed
DRAWN_AT_ONCE = 1 << 20  # rows; 8 MiB of positions


def weigh_losses(losses: Floats, weight: Floats | None) -> Floats:
    """Return losses whose plain mean is their mean weighted by the rows' weights.

    Args:
        losses: float64 (n,).
        weight: float64 (n,), what the rows count; None where all count the same.
    """
    if weight is None:
        return losses
    weighted: Floats = losses * (weight / weight.mean())
    return weighted


def compare_losses(
    champion: Floats,
    candidate: Floats,
    *,
    resamples: int,
    seed: int,
    group: Groups | None = None,
) -> Comparison:
    """Compare two models' losses on the same rows by a paired bootstrap.

    Rows are drawn with replacement, and the mean difference of each resample is taken (Efron and
    Tibshirani 1993, chapter 16); P(better) is the share of resamples with a difference above 0, so
    equal models have P = 0. Rows of one group tell less than as many rows of their own, so whole
    groups are drawn where there are any. Above 10,000 rows or groups the normal distribution, which
    the resampled means then have, takes their place: it costs milliseconds instead of seconds.

    Args:
        champion: float64 (n,), losses, lower is better.
        candidate: float64 (n,), of the same rows in the same order.
        resamples: how many.
        seed: of the resampling; the same seed gives the same numbers.
        group: uint64 (n,), equal where rows belong together; None where each row is on its own.
    """
    gain = champion - candidate
    sums = _unit_sums(gain, group)
    if len(sums.gain) > MANY:
        spread = _normal_spread(sums)
    else:
        spread = _resampled_spread(sums, resamples=resamples, seed=seed)
    return Comparison(
        candidate=float(candidate.mean()),
        champion=float(champion.mean()),
        gain=float(gain.mean()),
        low=spread.low,
        high=spread.high,
        p_better=spread.p_better,
        rows=len(gain),
    )


class _Sums(NamedTuple):
    """What is drawn as a whole: float64 (n,) gains, and int64 (n,) rows, None if one each."""

    gain: Floats
    rows: NDArray[np.int64] | None


class _Spread(NamedTuple):
    """5 % and 95 % quantile of the mean gain, and P(it is above 0)."""

    low: float
    high: float
    p_better: float


def _unit_sums(gain: Floats, group: Groups | None) -> _Sums:
    if group is None:
        return _Sums(gain, None)
    _, place = np.unique(group, return_inverse=True)
    return _Sums(np.bincount(place, weights=gain).astype(np.float64), np.bincount(place))


def _normal_spread(sums: _Sums) -> _Spread:
    """Return the spread of a mean of many; of groups that of a ratio (Cochran 1977, chapter 6)."""
    rows = np.ones(len(sums.gain)) if sums.rows is None else sums.rows
    mean = float(sums.gain.sum() / rows.sum())
    error = float(np.sqrt(np.square(sums.gain - mean * rows).sum()) / rows.sum())
    if not error:  # each row gains the same, most likely nothing
        return _Spread(mean, mean, float(mean > 0))
    normal = NormalDist(mean, error)
    return _Spread(normal.inv_cdf(0.05), normal.inv_cdf(0.95), 1 - normal.cdf(0))


def _resampled_spread(sums: _Sums, *, resamples: int, seed: int) -> _Spread:
    rng = np.random.default_rng(seed)
    means = np.concatenate(list(_resampled_means(sums, rng, resamples)))
    low, high = np.quantile(means, [0.05, 0.95])
    return _Spread(float(low), float(high), float((means > 0).mean()))


def _resampled_means(sums: _Sums, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    n = len(sums.gain)
    at_once = max(1, DRAWN_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        drawn = rng.integers(n, size=(min(at_once, resamples - start), n))
        if sums.rows is None:
            yield sums.gain[drawn].mean(axis=1)
        else:
            yield sums.gain[drawn].sum(axis=1) / sums.rows[drawn].sum(axis=1)


@dataclass(frozen=True, slots=True)
class Slice:
    """Some rows of the holdout, such as `RM <= 5.9` or `region = north`."""

    name: str
    rows: NDArray[np.bool_]


def worst_slice(
    slices: list[Slice],
    champion: Floats,
    candidate: Floats,
    *,
    ratio: float,
    resamples: int,
    seed: int,
) -> str:
    """Name the slice that gets worse by more than `ratio` beyond doubt, or return "".

    With many slices some look worse by chance, so the doubt is Bonferroni-corrected: 5 % over all
    of them.
    """
    doubt = 0.05 / max(1, len(slices))
    worst = ""
    worst_factor = ratio
    for each in slices:
        mine = candidate[each.rows]
        other = champion[each.rows]
        factor = _growth(mine, other)
        if factor <= worst_factor:
            continue
        worse = compare_losses(mine, other, resamples=resamples, seed=seed)
        if worse.p_better >= 1 - doubt:
            worst = f"{each.name}: {factor:.2f} times the champion's loss ({each.rows.sum()} rows)"
            worst_factor = factor
    return worst


def _growth(mine: Floats, other: Floats) -> float:
    """Return how many times the champion's mean loss the candidate's is."""
    if other.mean() > 0:
        return float(mine.mean() / other.mean())
    return np.inf * float(mine.mean() > 0)
