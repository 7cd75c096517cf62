"""A trial's record, as the engine and its journal keep it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from katib.metrics_collector import strategy_value

# Kubernetes' safe alphabet: no word comes out by chance.
NAME_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
NAME_LENGTH = 8
FINISHED = frozenset({"Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial; times are ISO 8601 in UTC, `state` is the type of its last Katib condition.

    Attributes:
        index: its place in the order in which trials were asked for, from 0.
        series: the objective's reports in order, as far as median stopping looks at them.
        tail: last lines of output, for people.
        cpu: CPU seconds of its processes.
    """

    index: int
    name: str
    assignments: dict[str, str]
    state: str = "Created"
    created: str = ""
    started: str = ""
    finished: str = ""
    reason: str = ""
    message: str = ""
    observation: tuple[dict[str, str], ...] = ()
    series: tuple[float, ...] = ()
    tail: tuple[str, ...] = field(default=(), compare=False)
    cpu: float = field(default=0.0, compare=False)

    @property
    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in FINISHED

    def value(self, metric: str, strategy: str) -> float | None:
        """Return the finite objective by which it is compared, or None; failed trials have none."""
        if self.state not in {"Succeeded", "EarlyStopped"}:
            return None
        return strategy_value(self.observation, metric, strategy)


def best_trial(
    trials: Iterable[Trial], *, metric: str, strategy: str, minimize: bool
) -> Trial | None:
    """Return the trial with the best finite objective; the earliest of equals."""
    valued = [(trial.value(metric, strategy), trial) for trial in trials]
    finite = [
        (value if minimize else -value, trial.index, trial)
        for value, trial in valued
        if value is not None
    ]
    return min(finite)[-1] if finite else None


def reset_trial(trial: Trial) -> Trial:
    """Return the trial as it was when it was created, to be run again."""
    return replace(
        trial,
        state="Created",
        started="",
        finished="",
        reason="",
        message="",
        observation=(),
        series=(),
    )


def name_suffix(content: str) -> str:
    """Return the end of a trial's name, a hash: equal trials have equal names."""
    number = int.from_bytes(hashlib.sha256(content.encode()).digest())
    base = len(NAME_CHARACTERS)
    return "".join(NAME_CHARACTERS[number // base**place % base] for place in range(NAME_LENGTH))
