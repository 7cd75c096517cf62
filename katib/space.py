"""The search space: parameters with Katib's types and string values.

Katib's services disagree about `step` (skopt ignores it, hyperopt rounds to multiples of it, Optuna counts from min).
Here a value is always `min + k * step`, never above max. `normal` is cut off at min and max, with the mean in the
middle and six standard deviations between the ends; `logNormal` is the same on a log scale.

Integers stay integers: beyond 2^53 a float has not all of them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from statistics import NormalDist
from typing import Any, Literal

from katib.metrics_collector import number as finite

Assignments = dict[str, str]


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial: its point, what became of it, and its objective; `value` is None unless it is complete."""

    assignments: Mapping[str, str]
    state: Literal["complete", "failed", "running"]
    value: float | None = None


SIGMAS = NormalDist(0.5, 1 / 6)
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `choices` only for discrete and categorical, the numbers only for int and double."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    choices: tuple[str, ...] = ()
    distribution: str = "uniform"

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> "Parameter":
        """Read an entry of `spec.parameters` that lint has passed."""
        feasible = spec["feasibleSpace"]
        kind = spec["parameterType"]
        distribution = feasible.get("distribution") or "uniform"
        if kind in {"discrete", "categorical"}:
            choices = tuple(map(str, feasible["list"]))
            if kind == "discrete":
                ordered = tuple(sorted(choices, key=float))
            else:
                ordered = choices
            return cls(spec["name"], kind, choices=ordered, distribution=distribution)
        read: Callable[[str], float] = int if kind == "int" else float
        step: float | None = 1 if kind == "int" else None
        if feasible.get("step"):
            step = read(feasible["step"])
        return cls(
            spec["name"],
            kind,
            read(feasible["min"]),
            read(feasible["max"]),
            step,
            distribution=distribution,
        )

    @property
    def size(self) -> float:
        """How many values there are; infinite for a double without a step."""
        if self.choices:
            return len(self.choices)
        if self.step is None:
            return math.inf
        return _steps(self.low, self.high, self.step) + 1

    @property
    def last(self) -> float:
        """The highest number that the steps reach."""
        if self.step is None:
            return self.high
        return self._at(int(self.size) - 1)

    def from_unit(self, u: float) -> str:
        """Map a number of [0, 1] to a value, so that uniform numbers follow the parameter's distribution."""
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.distribution in {"normal", "logNormal"}:
            u = SIGMAS.inv_cdf(min(max(_squeeze(u), TINY), 1 - TINY))
        if u in {0.0, 1.0}:  # the ends are what was written, not what logarithms make of it
            return self.snap(self.high if u else self.low)
        if self.distribution in {"logUniform", "logNormal"}:
            return self.snap(
                math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
            )
        if self.step is None:
            return self.snap(self.low + u * (self.last - self.low))
        # Every step gets an equal share, the ends included.
        return self._stepped((u * (self.last - self.low + self.step) - self.step / 2) / self.step)

    def to_unit(self, value: str) -> float:
        """Return a number that `from_unit` maps back to the value."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self.distribution in {"logUniform", "logNormal"}:
            bottom = math.log(self.low)
            u = (math.log(float(value)) - bottom) / (math.log(self.high) - bottom)
        else:
            half = (self.step or 0.0) / 2
            u = (self._number(value) - self.low + half) / (self.last - self.low + 2 * half)
        if self.distribution in {"normal", "logNormal"}:
            return _stretch(SIGMAS.cdf(u))
        return u

    def snap(self, number: float) -> str:
        """Return the feasible value nearest to a number, as Katib's string."""
        number = min(max(number, self.low), self.high)
        if self.step is None:
            return repr(number)
        above = number - self.low
        return self._stepped(
            Fraction(above) / Fraction(self.step) if isinstance(above, int) else above / self.step
        )

    def rewritten(self, value: str) -> str:
        """Return a value in this parameter's own writing: 0.10 is 0.1."""
        if self.choices:
            return value
        return self.snap(self._number(value))

    def nearest(self, value: object) -> str | None:
        """Return the feasible value nearest to a hyperparameter of another source; None when there is no such thing.

        `None` stands for "no limit" and becomes the largest number.
        """
        if self.kind == "categorical":
            texts = {str(value), str(value).lower()}
            return next((choice for choice in self.choices if choice in texts), None)
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            return None
        number = math.inf if value is None else value
        if math.isnan(number):
            return None
        if self.choices:
            number = min(number, float(self.choices[-1]))
            return min(self.choices, key=lambda choice: abs(float(choice) - number))
        return self.snap(number)

    def contains(self, value: str) -> bool:
        """Whether a string is one of this parameter's values."""
        if self.choices:
            return value in self.choices
        if finite(value) is None:
            return False
        number = self._number(value)
        return self.low <= number <= self.high and self._number(self.snap(number)) == number

    def values(self) -> list[str]:
        """All values of a finite parameter, ascending or in the order of the list."""
        return [self.value(k) for k in range(int(self.size))]

    def value(self, k: int) -> str:
        """Return a finite parameter's value number `k`, from 0."""
        if self.choices:
            return self.choices[k]
        return self.snap(self._at(k))

    def _number(self, value: str) -> float:
        try:
            if self.kind == "int":
                return int(value)
            return float(value)
        except ValueError:  # 5.0, as some of Katib's services write 5
            return float(value)

    def _stepped(self, steps: float | Fraction) -> str:
        """Return the value that is so many steps above the lowest, or the nearest."""
        number = self._at(min(max(round(steps), 0), int(self.size) - 1))
        if self.kind == "int":
            return str(number)
        return repr(number)

    def _at(self, k: int) -> float:
        exact = _exact(self.low) + k * _exact(self.step or 1)
        if self.kind == "int":
            return int(exact)
        return float(exact)


def _squeeze(u: float) -> float:
    low = SIGMAS.cdf(0)
    high = SIGMAS.cdf(1)
    return low + u * (high - low)


def _stretch(p: float) -> float:
    low = SIGMAS.cdf(0)
    high = SIGMAS.cdf(1)
    return min(max((p - low) / (high - low), 0.0), 1.0)


def _exact(number: float) -> Decimal:
    """Return the decimal that was written: 0.1 + 2 * 0.1 is to be 0.3."""
    return Decimal(repr(number))


def _steps(low: float, high: float, step: float) -> int:
    """Count whole steps from low to high."""
    try:
        return int((_exact(high) - _exact(low)) // _exact(step))
    except InvalidOperation:  # more than 28 digits
        return int((Fraction(high) - Fraction(low)) // Fraction(step))
