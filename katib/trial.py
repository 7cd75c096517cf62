"""A trial's record and the journal that keeps it: append-only lines, flushed one by one, so a killed run goes on."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from katib.errors import EngineError
from katib.metrics_collector import objective_value

NAME_CHARACTERS = (
    "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' safe alphabet: no word comes out by chance
)
NAME_LENGTH = 8
FINISHED = frozenset({"Succeeded", "Failed", "Killed", "MetricsUnavailable", "EarlyStopped"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial; times are ISO 8601 in UTC, `state` is the type of its last Katib condition.

    Attributes:
        index: its place in the order of asking, from 0.
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
        return objective_value(self.observation, metric, strategy)


class Journal:
    """The trials of one run in a JSON Lines file; the last line about a trial counts.

    Raises:
        EngineError: when the file is damaged before its end, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials: dict[int, Trial] = {}
        if path.exists():
            self._replay()

    def write(self, trial: Trial) -> None:
        """Record a trial's new state; it is on the disk when this returns."""
        line = json.dumps(asdict(trial), separators=(",", ":")) + "\n"
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise EngineError(
                f"{self.path}: {error.strerror}",
                hint="free some space, then go on with --resume; no finished trial is lost",
            ) from error
        self.trials[trial.index] = trial

    def ordered(self) -> list[Trial]:
        """Return the trials in the order in which they were asked for."""
        return [self.trials[index] for index in sorted(self.trials)]

    def _replay(self) -> None:
        try:
            whole, _, torn = self.path.read_bytes().rpartition(b"\n")
            if torn:  # the run was killed while it wrote: what was cut off never happened
                os.truncate(self.path, len(whole) + 1 if whole else 0)
        except OSError as error:
            raise EngineError(f"{self.path}: {error.strerror}", hint="start a new run") from error
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                trial = _parse(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise EngineError(
                    f"{self.path}:{number}: not a trial record", hint="start a new run"
                ) from error
            self.trials[trial.index] = trial


def best(trials: Iterable[Trial], *, metric: str, strategy: str, minimize: bool) -> Trial | None:
    """Return the trial with the best finite objective; the earliest of equals."""
    valued = [(trial.value(metric, strategy), trial) for trial in trials]
    finite = [
        (value if minimize else -value, trial.index, trial)
        for value, trial in valued
        if value is not None
    ]
    if finite:
        return min(finite, key=lambda item: item[:2])[2]
    return None


def reset(trial: Trial) -> Trial:
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


def letters(content: str) -> str:
    """Return the end of a trial's name: a hash of what it is made from, so that equal trials have equal names."""
    number = int.from_bytes(hashlib.sha256(content.encode()).digest())
    base = len(NAME_CHARACTERS)
    return "".join(NAME_CHARACTERS[number // base**place % base] for place in range(NAME_LENGTH))


def _parse(record: dict[str, Any]) -> Trial:
    for name in ("observation", "series", "tail"):
        record[name] = tuple(record[name])
    return Trial(**record)
