"""A trial as samplers know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Assignments = dict[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A trial: its point, what became of it, and its objective; `value` is None unless it is complete."""

    assignments: Mapping[str, str]
    state: Literal["complete", "failed", "running"]
    value: float | None = None
