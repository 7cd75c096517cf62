"""Which budget for many challenges? 200 no-gain challengers of one champion, on the same rows.

    python -m benchmarks.decisions.challenges     # ten seconds

A model of the two keys instead of forests, since 200 challenges of 20,000 histories are wanted. A
challenger's evidence by each key is normal, and partly common to all challengers of a history:
their rows, folds and champion are the same. With independent losses of equal size the common part
is a half, as in comparisons of many with one control (Dunnett 1955); 0 and 0.8 are printed beside.
The spread and the effect of a 10 % better recipe are such that key 1 alone lets in what was
measured with real fits: see `MEASURED`.

For each rule are printed the probability of any false promotion in 20 and in 200 challenges, and
the power for the better recipe in the first 20 challenges, alone and as a share of today's.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from promote.policy import FIRST, GatePolicy

Floats = NDArray[np.float64]
Rule = Callable[[int], float]
POLICY = GatePolicy()
HISTORIES = 20_000
CHALLENGES = 200
COMMON = (0.0, 0.5, 0.8)
BUDGETS = (0.2, 0.3, 0.5, 0.8, 1.0)
HALF_SPENT = 20  # challenges, by the rule that spends for ever
STAKES = (2.0, 3.0)
NORMAL = NormalDist()


class Measured(NamedTuple):
    """What real fits have shown at 400 training and 100 holdout rows.

    Attributes:
        equal: share of equal challengers that key 1 lets in at P(better) 0.90.
        better: share of those whose true loss is 10 % lower.
        kept: share of these that key 2 then leaves in.
    """

    equal: float
    better: float
    kept: float


MEASURED = {
    "Boston-like": Measured(0.16, 0.76, 0.92),
    "friedman1": Measured(0.14, 0.97, 0.98),
}


def spending(alpha: float) -> Rule:
    """Return the gate's own rule with this budget."""
    policy = POLICY.replace(challenges_alpha=alpha)
    return lambda number: policy.least_of_challenge(number, policy.p_recipe)


def halving(alpha: float) -> Rule:
    """Spend half of a budget on the first twenty challenges, and the rest evenly less for ever."""

    def least(number: int) -> float:
        after = number + HALF_SPENT
        doubt = alpha * HALF_SPENT / (after * (after - 1))
        return max(POLICY.p_recipe, min(1 - doubt, 1 - 1 / POLICY.resamples))

    return least


def even(number: int) -> float:  # noqa: ARG001 - a rule
    """Spend a budget of 0.2 in equal parts."""
    return min(1 - 0.2 / CHALLENGES, 1 - 1 / POLICY.resamples)


def betting(alpha: float, stake: float) -> Rule:
    """Ask for an e-value, exp(stake z - stake^2 / 2), of one over the challenge's part of alpha."""

    def least(number: int) -> float:
        after = number + HALF_SPENT
        wanted = float(np.log(after * (after - 1) / (alpha * HALF_SPENT)))
        asked = NORMAL.cdf(wanted / stake + stake / 2)
        return max(POLICY.p_recipe, min(asked, 1 - 1 / POLICY.resamples))

    return least


RULES: dict[str, Rule] = {
    "today": lambda _: POLICY.p_recipe,
    "0.2 in 200 equal parts": even,
    **{f"budget {alpha}": spending(alpha) for alpha in BUDGETS},
    **{f"half in twenty, budget {alpha}": halving(alpha) for alpha in (0.5, 1.0)},
    **{
        f"e-values, budget {alpha}, stake {stake}": betting(alpha, stake)
        for alpha in (0.3, 1.0)
        for stake in STAKES
    },
}


def evidence(rng: np.random.Generator, common: float) -> Floats:
    """Return float64 (histories, challenges): standard normal, with a part common to a row."""
    shared = rng.normal(size=(HISTORIES, 1))
    own = rng.normal(size=(HISTORIES, CHALLENGES))
    found: Floats = np.sqrt(common) * shared + np.sqrt(1 - common) * own
    return found


def print_table(name: str, measured: Measured, common: float) -> None:
    """Print one population's rules."""
    rng = np.random.default_rng(0)
    usual = NORMAL.inv_cdf(POLICY.p_recipe)
    spread = usual / NORMAL.inv_cdf(1 - measured.equal)
    effect = usual + NORMAL.inv_cdf(measured.better) * spread
    first = spread * evidence(rng, common)
    second = evidence(rng, common) > NORMAL.inv_cdf(POLICY.p_holdout)
    print(f"\n{name}, common part {common}\n")
    print("| rule | any false in 20 | in 200 | power, 1st | 20th | mean of 20 | of today's |")
    print("|---|---|---|---|---|---|---|")
    today = 0.0
    for rule, least in RULES.items():
        asked = np.array([NORMAL.inv_cdf(least(n)) for n in range(1, CHALLENGES + 1)])
        false = (first > asked) & second
        power = [measured.kept * (1 - NORMAL.cdf((z - effect) / spread)) for z in asked[:FIRST]]
        mean = float(np.mean(power))
        today = today or mean
        print(
            f"| {rule} | {false[:, :FIRST].any(axis=1).mean():.0%} | "
            f"{false.any(axis=1).mean():.0%} | {power[0]:.0%} | {power[-1]:.0%} | {mean:.0%} | "
            f"{mean / today:.2f} |"
        )


if __name__ == "__main__":
    for part in COMMON:
        for population, seen in MEASURED.items():
            print_table(population, seen, part)
