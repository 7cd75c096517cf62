"""One search on a table: who runs when, what the sampler has been told by then.

Modes: `a4` four workers, a new point is asked for whenever one ends (Katib's own way); `s4` batches
of four (the schedule of the shipped Experiment); `a1` one after the other. A trial takes a
lognormal time around 1 (sigma 0.3).
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

Assignments = dict[str, str]
MODES = {"a4": (4, False), "s4": (4, True), "a1": (1, False)}
SPREAD = 0.3


@dataclass(slots=True)
class Trial:
    """One trial; `loss` and `ended` (a time, as `begun`) are None while it runs."""

    assignments: Assignments
    begun: float
    loss: float | None = None
    ended: float | None = None


class Sampler(Protocol):
    """What is measured."""

    def ask(self, trials: Sequence[Trial], count: int) -> tuple[list[Assignments], float]:
        """Return new points after the trials so far (in order of asking), and the CPU seconds."""


@dataclass(slots=True)
class Run:
    """A finished search: trials in order of asking, and (points, CPU seconds) of each request."""

    trials: list[Trial] = field(default_factory=list)
    requests: list[tuple[int, float]] = field(default_factory=list)

    def in_order_of_end(self) -> list[Trial]:
        """The trials, the first to end first."""
        return sorted(self.trials, key=lambda trial: trial.ended or 0)


def simulate_search(
    sampler: Sampler, loss: Callable[[Assignments], float], mode: str, *, trials: int, seed: int
) -> Run:
    """Search with a budget of trials; the same seed gives the same times."""
    parallel, batch = MODES[mode]
    run = Run()
    duration = np.random.default_rng([seed, 77]).lognormal(0.0, SPREAD, trials)
    running: list[tuple[float, int]] = []
    now = 0.0
    for _ in range(trials):
        room = min(parallel - len(running), trials - len(run.trials))
        if batch and running:
            room = 0
        for place in _ask_points(run, sampler, room, now):
            heapq.heappush(running, (now + duration[place], place))
        now, place = heapq.heappop(running)
        trial = run.trials[place]
        trial.loss = loss(trial.assignments)
        trial.ended = now
    return run


def _ask_points(run: Run, sampler: Sampler, count: int, now: float) -> range:
    """Ask for points and return the places of the new trials."""
    known = len(run.trials)
    if count:
        points, cpu = sampler.ask(run.trials, count)
        run.trials.extend(Trial(point, now) for point in points)
        run.requests.append((count, cpu))
    return range(known, len(run.trials))
