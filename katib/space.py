"""The search space: parameters with Katib's types and string values, and trials in it.

Katib's services disagree about `step`: skopt ignores it, hyperopt rounds to multiples of it, Optuna
counts from min. Here a value is always `min + k * step`, never above max. `normal` is cut off at
min and max, with the mean in the middle and six standard deviations between the ends; `logNormal`
is the same on a log scale.

Integers stay integers, as floats lack some of them beyond 2^53.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from statistics import NormalDist
from typing import Literal

from katib.metrics_collector import number as finite_number
from katib.objects import JsonObject

Assignments = dict[str, str]
UNIT_NORMAL = NormalDist(0.5, 1 / 6)
LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as samplers see it; `value` is its objective, None unless it is complete."""

    assignments: Mapping[str, str]
    state: Literal["complete", "failed", "running"]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: discrete and categorical ones have `choices`, int and double have numbers."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    choices: tuple[str, ...] = ()
    distribution: str = "uniform"

    @classmethod
    def from_spec(cls, spec: JsonObject) -> "Parameter":
        """Read an entry of `spec.parameters` that lint has passed."""
        feasible = spec["feasibleSpace"]
        kind = spec["parameterType"]
        distribution = feasible.get("distribution") or "uniform"
        if kind in {"discrete", "categorical"}:
            choices = [str(value) for value in feasible["list"]]
            if kind == "discrete":
                choices.sort(key=float)
            return cls(spec["name"], kind, choices=tuple(choices), distribution=distribution)
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
        return _count_steps(self.low, self.high, self.step) + 1

    @property
    def last(self) -> float:
        """The highest number that the steps reach."""
        if self.step is None:
            return self.high
        return self._number_at(int(self.size) - 1)

    def from_unit(self, u: float) -> str:
        """Map a number of [0, 1] to a value, so that uniform numbers follow the distribution."""
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.distribution in {"normal", "logNormal"}:
            u = UNIT_NORMAL.inv_cdf(_probability_of(u))
        if u == 0.0:  # The ends are what was written, not what logarithms make of it.
            return self.snap(self.low)
        if u == 1.0:
            return self.snap(self.high)
        if self._is_log:
            width = math.log(self.high) - math.log(self.low)
            return self.snap(math.exp(math.log(self.low) + u * width))
        if self.step is None:
            return self.snap(self.low + u * (self.last - self.low))
        # Every step gets an equal share, the ends included.
        return self._text_at((u * (self.last - self.low + self.step) - self.step / 2) / self.step)

    def to_unit(self, value: str) -> float:
        """Return a number that `from_unit` maps back to the value."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self._is_log:
            bottom = math.log(self.low)
            u = (math.log(float(value)) - bottom) / (math.log(self.high) - bottom)
        else:
            half = (self.step or 0.0) / 2
            u = (self._parse_number(value) - self.low + half) / (self.last - self.low + 2 * half)
        if self.distribution in {"normal", "logNormal"}:
            return _unit_of(UNIT_NORMAL.cdf(u))
        return u

    def snap(self, number: float) -> str:
        """Return the feasible value nearest to a number, as Katib's string."""
        number = min(max(number, self.low), self.high)
        if self.step is None:
            return repr(number)
        above = number - self.low
        if isinstance(above, int):
            return self._text_at(Fraction(above) / Fraction(self.step))
        return self._text_at(above / self.step)

    def rewritten(self, value: str) -> str:
        """Return a value as this parameter writes it: 0.10 is 0.1."""
        if self.choices:
            return value
        return self.snap(self._parse_number(value))

    def nearest(self, value: object) -> str | None:
        """Return the feasible value nearest to a hyperparameter of another source.

        A `value` of None means "no limit" and becomes the largest number. Returns None where no
        value is near: for words among numbers, and for categories that are not listed.
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
        if finite_number(value) is None:
            return False
        number = self._parse_number(value)
        return self.low <= number <= self.high and self._parse_number(self.snap(number)) == number

    def values(self) -> list[str]:
        """All values of a finite parameter, ascending or in the order of the list."""
        return [self.value(k) for k in range(int(self.size))]

    def value(self, k: int) -> str:
        """Return a finite parameter's value number `k`, from 0."""
        if self.choices:
            return self.choices[k]
        return self.snap(self._number_at(k))

    @property
    def _is_log(self) -> bool:
        return self.distribution in {"logUniform", "logNormal"}

    def _parse_number(self, value: str) -> float:
        if self.kind != "int":
            return float(value)
        try:
            return int(value)
        except ValueError:  # Some of Katib's services write 5 as 5.0.
            return float(value)

    def _text_at(self, steps: float | Fraction) -> str:
        """Return the value that is so many steps above the lowest, or the nearest one."""
        number = self._number_at(min(max(round(steps), 0), int(self.size) - 1))
        if self.kind == "int":
            return str(number)
        return repr(number)

    def _number_at(self, k: int) -> float:
        exact = _exact_decimal(self.low) + k * _exact_decimal(self.step or 1)
        if self.kind == "int":
            return int(exact)
        return float(exact)


def _probability_of(u: float) -> float:
    """Map [0, 1] to the normal distribution's probabilities between min and max."""
    low = UNIT_NORMAL.cdf(0)
    high = UNIT_NORMAL.cdf(1)
    return min(max(low + u * (high - low), LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)


def _unit_of(probability: float) -> float:
    """Map the normal distribution's probabilities between min and max to [0, 1]."""
    low = UNIT_NORMAL.cdf(0)
    high = UNIT_NORMAL.cdf(1)
    return min(max((probability - low) / (high - low), 0.0), 1.0)


def _exact_decimal(number: float) -> Decimal:
    """Return the decimal that was written, so that 0.1 + 2 * 0.1 is 0.3."""
    return Decimal(repr(number))


def _count_steps(low: float, high: float, step: float) -> int:
    """Count whole steps from low to high."""
    try:
        return int((_exact_decimal(high) - _exact_decimal(low)) // _exact_decimal(step))
    except InvalidOperation:  # of more than 28 digits
        return int((Fraction(high) - Fraction(low)) // Fraction(step))
