"""What a run on this machine has left in its folder; only read, so that it may be looked at while it is under way."""

import fcntl
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.folder import JOURNAL, META, STATUS, TRIALS, runs
from katib.trials import Trial

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """One look at a run's folder.

    Attributes:
        folder: where it lies.
        held: whether an engine is at it now.
        meta: what it was started with; empty when that cannot be read.
        experiment: the Experiment with its status; empty before the first trial starts.
        trials: the journal's trials, in the order in which they were asked for.
        torn: whether the journal's last line was cut off.
        damaged: files that cannot be read, and why.
    """

    folder: Path
    held: bool
    meta: Mapping[str, Any]
    experiment: Object
    trials: tuple[Trial, ...]
    torn: bool
    damaged: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end, whatever that was."""
        return "completionTime" in self.experiment.get("status", {})


def newest_run(root: Path, experiment: str = "") -> Path | None:
    """Return the folder of the newest run of one Experiment, or of any; None where there is none.

    What was kept of an Experiment on a cluster is not a run of this machine.
    """
    names = [experiment] if experiment else [path.name for path in root.iterdir()] if root.is_dir() else []
    newest = [found[-1] for name in names if (found := [run for run in runs(root, name) if (run / META).exists()])]
    return max(newest, key=lambda run: (_touched(run), run.parent.name), default=None)


def read_run(folder: Path) -> LocalRun:
    """Read a run's folder; what is damaged in it is named, not raised."""
    damaged: list[str] = []
    # Asked first: an engine that ends meanwhile has written its last before it lets go.
    at_it = held(folder)
    trials, torn = _journal(folder / JOURNAL, damaged)
    meta, experiment = (_document(folder / name, damaged) for name in (META, STATUS))
    if experiment and not _complete(experiment):
        damaged.append(f"{folder / STATUS}: not an Experiment with its status")
        experiment = {}
    return LocalRun(folder, at_it, meta, experiment, trials, torn, tuple(damaged))


def held(folder: Path) -> bool:
    """Whether a process runs in this folder; its lock goes with it, however it ends."""
    try:
        with (folder / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: several may look at once
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_objects(folder: Path) -> tuple[Object, list[Object]]:
    """Return the Experiment and its Trials as Katib would show them now.

    Raises:
        OSError: when they are not there.
        ValueError, KeyError: when they are damaged; an engine replaces them whole.
    """
    experiment = json.loads((folder / STATUS).read_bytes())
    return experiment, list(json.loads((folder / TRIALS).read_bytes())["items"])


def _complete(experiment: Object) -> bool:
    """Whether an Experiment has what an engine writes of it."""
    try:
        spec, conditions = experiment["spec"], experiment["status"]["conditions"]
        named = spec["objective"]["objectiveMetricName"], spec["objective"]["type"], spec["metricsCollectorSpec"]
        return bool(all(named) and conditions[-1]["reason"])
    except (KeyError, IndexError, TypeError):
        return False


def _touched(run: Path) -> float:
    return max(((run / name).stat().st_mtime for name in (META, STATUS) if (run / name).exists()), default=0.0)


def _document(path: Path, damaged: list[str]) -> Object:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        damaged.append(f"{path}: {getattr(error, 'strerror', None) or 'not JSON'}")
        return {}
    if isinstance(found, dict):
        return found
    damaged.append(f"{path}: not a JSON object")
    return {}


def _journal(path: Path, damaged: list[str]) -> tuple[tuple[Trial, ...], bool]:
    """Read what can be read: a damaged line stops only those who would go on with the run."""
    try:
        whole, _, torn = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return (), False
    except OSError as error:
        damaged.append(f"{path}: {error.strerror}")
        return (), False
    trials: dict[int, Trial] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            trial = _trial(json.loads(line))
        except (ValueError, TypeError, KeyError):
            damaged.append(f"{path}:{number}: not a trial record")
        else:
            trials[trial.index] = trial
    return tuple(trials[index] for index in sorted(trials)), bool(torn)


def _trial(record: Object) -> Trial:
    return Trial(**{**record, **{name: tuple(record[name]) for name in ("observation", "series", "tail")}})
