"""The journal of a run's trials: JSON Lines, each one synced, so that a killed run can resume."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from katib.errors import EngineError
from katib.objects import JsonObject
from katib.trial import Trial

SEQUENCES = ("observation", "series", "tail")  # JSON has no tuples


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What a journal's bytes say.

    Attributes:
        trials: by index; the last line about a trial counts.
        damaged: numbers of the lines that are no trial record, from 1.
        length: bytes of the whole lines.
        torn: whether the last line was cut off, since the run was killed while it wrote.
    """

    trials: dict[int, Trial]
    damaged: tuple[int, ...]
    length: int
    torn: bool

    def ordered(self) -> tuple[Trial, ...]:
        """Return the trials in the order in which they were asked for."""
        return tuple(self.trials[index] for index in sorted(self.trials))


def parse_journal(content: bytes) -> JournalContent:
    """Read what can be read of a journal."""
    length = content.rfind(b"\n") + 1
    trials: dict[int, Trial] = {}
    damaged = []
    for number, line in enumerate(content[:length].splitlines(), 1):
        try:
            trial = _parse_trial(json.loads(line))
        except (ValueError, TypeError, KeyError):
            damaged.append(number)
        else:
            trials[trial.index] = trial
    return JournalContent(trials, tuple(damaged), length, torn=length < len(content))


class Journal:
    """The trials of one run, in memory and in the journal's file, for the engine that writes them.

    Raises:
        EngineError: when the file is damaged before its end, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trials: dict[int, Trial] = {}
        if path.exists():
            self.trials = self._replay()

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
                hint="free some space, then continue with --resume; no finished trial is lost",
            ) from error
        self.trials[trial.index] = trial

    def ordered(self) -> list[Trial]:
        """Return the trials in the order in which they were asked for."""
        return [self.trials[index] for index in sorted(self.trials)]

    def _replay(self) -> dict[int, Trial]:
        try:
            found = parse_journal(self.path.read_bytes())
            if found.torn:  # what was cut off never happened
                os.truncate(self.path, found.length)
        except OSError as error:
            raise EngineError(f"{self.path}: {error.strerror}", hint="start a new run") from error
        if found.damaged:
            where = f"{self.path}:{found.damaged[0]}"
            raise EngineError(f"{where}: not a trial record", hint="start a new run")
        return found.trials


def _parse_trial(record: JsonObject) -> Trial:
    return Trial(**{**record, **{name: tuple(record[name]) for name in SEQUENCES}})
