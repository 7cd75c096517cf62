"""Clocks that move when a test moves them."""

from dataclasses import dataclass


@dataclass
class Seconds:
    """Monotonic seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
