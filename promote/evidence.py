"""Evidence: paired comparisons of losses, row by row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from promote.verdict import Comparison

Floats = NDArray[np.float64]


def compare_losses(champion: Floats, candidate: Floats, *, resamples: int, seed: int) -> Comparison:
    """Compare two models' losses on the same rows by a paired bootstrap.

    Rows are drawn with replacement, and the mean difference of each resample is taken (Efron and
    Tibshirani 1993, chapter 16); P(better) is the share of resamples with a difference above 0, so
    equal models have P = 0.

    Args:
        champion: float64 (n,), losses, lower is better.
        candidate: float64 (n,), of the same rows in the same order.
        resamples: how many.
        seed: of the resampling; the same seed gives the same numbers.
    """
    gain = champion - candidate
    rng = np.random.default_rng(seed)
    draws = (rng.integers(len(gain), size=len(gain)) for _ in range(resamples))
    means = np.array([gain[drawn].mean() for drawn in draws])
    low, high = np.quantile(means, [0.05, 0.95])
    return Comparison(
        candidate=float(candidate.mean()),
        champion=float(champion.mean()),
        gain=float(gain.mean()),
        low=float(low),
        high=float(high),
        p_better=float((means > 0).mean()),
        rows=len(gain),
    )


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
