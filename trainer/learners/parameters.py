"""The types of hyperparameters: each field has its range, a description of it, and its scale.

`--help` and errors print the description. Integers may arrive as `3.7`, because a search service
may hand out every parameter as a real number (Katib's skopt service does for those declared
double); they are rounded.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

Given = Any  # whatever a flag, a variable or the caller gave


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a search looks for good values; the parameter itself allows more.

    Attributes:
        low: the smallest value.
        high: the largest value.
        log: whether equal ratios count as equal steps.
    """

    low: float
    high: float
    log: bool = False


def _round_number(value: Given) -> Given:
    try:
        return round(float(value))
    except (TypeError, ValueError, OverflowError):
        return value


def parse_none(value: Given) -> Given:
    """Return None for the text `none`, otherwise the value."""
    if isinstance(value, str) and value.lower() == "none":
        return None
    return value


def _parse_depth(value: Given) -> Given:
    value = parse_none(value)
    if value is None:
        return None
    return _round_number(value)


Integer = BeforeValidator(_round_number)
OrNone = BeforeValidator(parse_none)
Trees = Annotated[int, Integer, Field(ge=1, le=10_000, description="an integer from 1 to 10000")]
Depth = Annotated[
    Annotated[int, Field(ge=1, le=1000)] | None,
    BeforeValidator(_parse_depth),
    Field(description="an integer from 1 to 1000, or none"),
]
LeafRows = Annotated[
    int, Integer, Field(ge=1, le=100_000, description="an integer from 1 to 100000")
]
SplitRows = Annotated[
    int, Integer, Field(ge=2, le=100_000, description="an integer from 2 to 100000")
]
Leaves = Annotated[int, Integer, Field(ge=2, le=10_000, description="an integer from 2 to 10000")]
Fraction = Annotated[FiniteFloat, Field(gt=0, le=1, description="a share above 0 and up to 1")]
LearningRate = Annotated[FiniteFloat, Field(gt=0, le=1, description="a number above 0 and up to 1")]
Positive = Annotated[FiniteFloat, Field(gt=0, description="a number above 0")]
NotNegative = Annotated[FiniteFloat, Field(ge=0, description="a number of at least 0")]


class Hyperparameters(BaseModel):
    """A learner's hyperparameters, by the names of its library, with the defaults of a trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def for_task(self, task: str, *, smallest_target: float = 0.0) -> Self:
        """Fill in what depends on the task, and drop what has no effect.

        Args:
            task: "regression" or "classification".
            smallest_target: of the training part.

        Raises:
            ParameterError: when a value does not fit the task or the target.
        """
        del task, smallest_target
        return self

    @classmethod
    def searched(cls) -> dict[str, Searched]:
        """Return where a search looks for each parameter that is worth searching."""
        return {
            name: each
            for name, field in cls.model_fields.items()
            for each in field.metadata
            if isinstance(each, Searched)
        }
