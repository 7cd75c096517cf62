"""The gate's settings; the defaults were measured (docs/decisions/0006-gate.md)."""

import sys
from typing import Annotated, Literal

from msgspec import Meta, field

from registry.record import Count, Positive, Record, Share

LARGEST_FLOAT = sys.float_info.max  # a verdict holds the policy, and JSON has no infinity
LARGEST_SEED = 2**31 - 2000  # generators take 32 bits; the gate's seeds are in the lower half
FIRST = 20  # challenges on the same rows, which share most of the budget alike
FOR_FIRST = 0.9  # of the budget
Ratio = Annotated[float, Meta(ge=1, le=LARGEST_FLOAT)]


class Bounds(Record, frozen=True, kw_only=True):
    """Numbers from `at_least` up to, but without, `below`; None where there is no bound."""

    at_least: float | None = None
    below: float | None = None


SliceRules = bool | float | str | Bounds


class GatePolicy(Record, frozen=True, kw_only=True):
    """Settings of the gate.

    Attributes:
        mode: "two-key", or "strict-lower": the candidate's holdout loss is lower, however little.
            With equal models strict-lower promotes every second time.
        approval: "auto", or "manual": a promotion waits for `tunegate approve`.
        approval_days: how long such a promotion waits; after that it must be judged again.
        p_recipe: key one: least P(the candidate's recipe is better), over fresh cross-validation
            folds. On rows that are new to the champion alone, a quarter of the doubt is enough.
        p_searched: the same for a candidate that was chosen among a search's finalists: it is the
            luckiest of many, on these very rows.
        challenges_alpha: the budget of false promotions over all challenges that the same rows have
            decided; key one then needs a higher P(better), from the 21st challenge on a much higher
            one. 0 sets no budget; 0.8 suits rows that are asked often.
        p_holdout: key two: least P(the fitted candidate is better), on the holdout.
        repeats: repetitions of the cross-validation of key one, and of that of finalists. Key one
            stops after the first where P(better) is clear already.
        folds: folds of each.
        finalists: how many of a search's best trials are scored once more, on folds of their own,
            before one of them becomes the candidate; with 1 the search's best becomes it.
        resamples: bootstrap resamples.
        seed: of folds and bootstrap.
        ceiling: the candidate's loss on the holdout must not be above this; None for no ceiling.
        max_slice_ratio: a slice of the holdout may get worse by this factor before it counts as
            suspicious.
        slices: rows of the holdout that may not get clearly worse, by a name; each says what its
            columns must be: a value, or `{ at_least = 5, below = 9 }`.
        max_calibration_error: how far the candidate's class shares may be from what came, on the
            holdout; None asks for nothing.
        min_coverage: least share of the holdout's rows, and of those of each slice, that the
            candidate's prediction intervals must contain; None asks for nothing.
        max_error_ratio: the largest row loss may grow by this factor.
        max_work: steps a prediction may take (trees x depth, or a linear model's products), a
            deterministic stand-in for latency.
        max_bytes: size of the package.
        max_memory: bytes that a server needs to load and keep the package, computed from its
            arrays (`registry.package.serving_cost`); set it to what a pod has left.
        max_microseconds: about what a row takes, computed in the same way.
        min_holdout: least rows to judge by, after those that the champion has seen were left out; a
            first model needs no more than 10.
        shadow_rows: least rows on which the candidate must have been compared with the champion in
            shadow mode, none of them failed; 0 asks for no shadow.
        allow_new_data: judge although the champion was trained on other data.
        allow_schema_change: judge although the columns differ from the champion's.
    """

    mode: Literal["two-key", "strict-lower"] = "two-key"
    approval: Literal["auto", "manual"] = "auto"
    approval_days: Annotated[int, Meta(ge=1, le=365)] = 7
    p_recipe: Share = 0.90
    p_searched: Share = 0.95
    challenges_alpha: Share = 0.0
    p_holdout: Share = 0.20
    repeats: Annotated[int, Meta(ge=1, le=100)] = 3
    folds: Annotated[int, Meta(ge=2, le=20)] = 5
    finalists: Annotated[int, Meta(ge=1, le=100)] = 5
    resamples: Annotated[int, Meta(ge=100, le=100_000)] = 2000
    seed: Count = 0
    ceiling: Annotated[float, Meta(ge=-LARGEST_FLOAT, le=LARGEST_FLOAT)] | None = None
    max_slice_ratio: Ratio = 2.0
    slices: dict[str, dict[str, SliceRules]] = field(default_factory=dict)
    max_calibration_error: Share | None = None
    min_coverage: Share | None = None
    max_error_ratio: Ratio = 2.0
    max_work: Positive = 1_000_000
    max_bytes: Positive = 256 << 20
    max_memory: Positive = 2 << 30
    max_microseconds: Positive = 20_000
    min_holdout: Annotated[int, Meta(ge=2)] = 30
    shadow_rows: Count = 0
    allow_new_data: bool = False
    allow_schema_change: bool = False

    def __post_init__(self) -> None:
        """Refuse a seed with which the gate's folds could be the finalists'."""
        if self.seed * self.repeats > LARGEST_SEED:
            most = LARGEST_SEED // self.repeats
            raise ValueError(f"seed: at most {most:,} with {self.repeats} repeats")

    def least_recipe(self, *, searched: bool) -> float:
        """Return what key one asks for, of a search's winner or of a candidate that was named."""
        return self.p_searched if searched else self.p_recipe

    def least_new_rows(self) -> float:
        """Return the P(better) on new rows alone that is enough for key one.

        A quarter of the doubt that all rows may leave: it is a second chance, and they are few.
        """
        return 1 - (1 - self.p_recipe) / 4

    def least_of_challenge(self, number: int, least: float) -> float:
        """Return what key one asks for in a challenge, at least `least`.

        The first twenty share nine tenths of the budget alike, all others the rest: so it lasts for
        ever. But P(better) is a share of the resamples, and no threshold goes beyond what they can
        tell.

        Args:
            number: of the challenge on the same rows, from 1; 0 where nobody counts.
            least: what key one would ask for without a budget.
        """
        if not number:
            return least
        if number <= FIRST:
            part = FOR_FIRST / FIRST
        else:
            part = (1 - FOR_FIRST) * FIRST / (number * (number - 1))
        doubt = self.challenges_alpha * part
        if not doubt:
            return least
        return max(least, min(1 - doubt, 1 - 1 / self.resamples))

    def seeds(self, start: int) -> list[int]:
        """Return the repetitions' seeds, counted from `start`; another `seed` has other ones."""
        first = start + self.seed * self.repeats
        return list(range(first, first + self.repeats))
