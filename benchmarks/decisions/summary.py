"""From decisions to rates with intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.cells import Found
from benchmarks.decisions.decide import RULES, Decision

Rule = Callable[[Decision], bool]
RESAMPLES = 1000
BEST = "best possible threshold with 10 % of equal ones"
MOST_EQUAL = 0.1
TRUTHS: Mapping[str, tuple[float, float]] = {
    "30 % worse": (1.2, 1.45),
    "10 % worse": (1.07, 1.14),
    "3 % worse": (1.02, 1.05),
    "equal": (0.99, 1.01),
    "5 % better": (0.935, 0.965),
    "10 % better": (0.87, 0.93),
    "20 % better": (0.72, 0.86),
}


class Rate(NamedTuple):
    """A mean with its 95 % interval, a bootstrap over data sets, and what it was made of."""

    mean: float
    low: float
    high: float
    decisions: int
    sets: int


def named_rates(found: Sequence[Found], fitted: Sequence[Found]) -> dict[str, dict[str, Rate]]:
    """Return, by truth and rule, how often is promoted; truth is that of the recipe.

    Args:
        found: the decisions.
        fitted: data sets on which all recipes were fitted; what is true is a mean over them.
    """
    truths = np.mean([each["truths"] for each in fitted], axis=0)
    by_truth = {
        truth: [
            [
                Decision(*decision)
                for (i, j), decision in zip(each["pairs"], each["decisions"], strict=True)
                if low <= truths[i] / truths[j] <= high
            ]
            for each in found
        ]
        for truth, (low, high) in TRUTHS.items()
    }
    best = best_threshold(by_truth["equal"], by_truth["10 % better"])
    rates: dict[str, dict[str, Rate]] = {}
    for truth, chosen in by_truth.items():
        if any(chosen):
            rates[truth] = rule_rates(chosen)
            rates[truth][BEST] = cluster_rate([[best(each) for each in one] for one in chosen])
    return rates


def best_threshold(
    equal: Sequence[Sequence[Decision]], better: Sequence[Sequence[Decision]]
) -> Rule:
    """Return the rule with most power of those on one P(better) that let in 10 % of equal ones.

    Args:
        equal: decisions about challengers that are no better, by data set.
        better: about those that are.
    """
    alike = [decision for one in equal for decision in one]
    truly = [decision for one in better for decision in one]
    if not alike:
        return lambda _: False
    rules = [_above(name, alike) for name in ("pooled", "recipe", "holdout")]
    return max(rules, key=lambda rule: sum(map(rule, truly)))


def _above(name: str, alike: Sequence[Decision]) -> Rule:
    values = [getattr(each, name) for each in alike]
    least = float(np.quantile(values, 1 - MOST_EQUAL, method="higher"))
    return lambda decision: getattr(decision, name) > least


def rule_rates(decisions: Sequence[Sequence[Decision]]) -> dict[str, Rate]:
    """Return each rule's share of promotions; the outer sequence is that of data sets."""
    return {
        rule: cluster_rate([[accepts(each) for each in one] for one in decisions])
        for rule, accepts in RULES.items()
    }


def decision_rates(found: Sequence[Found]) -> dict[str, Rate]:
    """Return each rule's share of promotions."""
    return rule_rates([[Decision(*each) for each in one["decisions"]] for one in found])


def mean_ratio(found: Sequence[Found], chosen: Callable[[Decision], bool]) -> Rate:
    """Return the mean true ratio of candidate to champion of chosen decisions."""
    decisions = [[Decision(*each) for each in one["decisions"]] for one in found]
    return cluster_rate([[each.ratio for each in one if chosen(each)] for one in decisions])


def path_rates(found: Sequence[Found], step: int) -> dict[str, Rate]:
    """Return, by rule, the true loss after a step as a share of that at the start."""
    return {rule: cluster_rate([[one["path"][rule][step]] for one in found]) for rule in RULES}


def promotion_rates(found: Sequence[Found]) -> dict[str, Rate]:
    """Return, by rule, the mean number of promotions in a sequence."""
    return {rule: cluster_rate([[one["promotions"][rule]] for one in found]) for rule in RULES}


def cluster_rate(values: Sequence[Sequence[float]]) -> Rate:
    """Return the mean over all values; the interval draws whole data sets."""
    sums = np.array([sum(each) for each in values], dtype=np.float64)
    counts = np.array([len(each) for each in values], dtype=np.float64)
    total = int(counts.sum())
    if not total:
        return Rate(0.0, 0.0, 0.0, 0, 0)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    means = _ratios(sums[drawn].sum(axis=1), counts[drawn].sum(axis=1))
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(sums.sum() / total)
    return Rate(mean, float(low), float(high), total, int((counts > 0).sum()))


def _ratios(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return sums[counts > 0] / counts[counts > 0]
