"""The folder of one run: who may use it, and which comes next."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.errors import EngineError
from katib.trial import Trial

JOURNAL = "trials.jsonl"
STATUS = "experiment.json"
TRIALS = "trials.json"
META = "run.json"


def runs(root: Path, experiment: str) -> list[Path]:
    """Return the folders of an experiment's runs, oldest first."""
    folder = root / experiment
    if folder.is_dir():
        found = [path for path in folder.iterdir() if path.name.isdecimal()]
    else:
        found = []
    return sorted(found, key=lambda path: int(path.name))


def new_run(root: Path, experiment: str) -> Path:
    """Make the folder of the next run.

    Raises:
        EngineError: when it cannot be made.
    """
    for _ in range(1000):
        known = runs(root, experiment)
        path = root / experiment / f"{int(known[-1].name) + 1 if known else 1:04d}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue  # another run was faster
        except OSError as error:
            raise EngineError(
                f"{path}: {error.strerror}", hint="choose another --state folder"
            ) from error
        return path
    raise EngineError(f"{root / experiment}: cannot number a new run")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the run's lock; it goes with the process, however that ends.

    Raises:
        EngineError: when another process holds it.
    """
    try:
        file = (path / "lock").open("w")
    except OSError as error:
        raise EngineError(
            f"{path}: {error.strerror}", hint="choose another --state folder"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EngineError(
                f"{path} is being run by another process", hint="wait for it, or start a new run"
            ) from error
        yield


def prune(root: Path, experiment: str, *, keep: int) -> None:
    """Delete the oldest runs of an experiment beyond `keep`."""
    for path in runs(root, experiment)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


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
    if experiment:
        names = [experiment]
    else:
        names = [path.name for path in root.iterdir()] if root.is_dir() else []
    newest = [
        found[-1]
        for name in names
        if (found := [run for run in runs(root, name) if (run / META).exists()])
    ]
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
        spec = experiment["spec"]
        conditions = experiment["status"]["conditions"]
        named = (
            spec["objective"]["objectiveMetricName"],
            spec["objective"]["type"],
            spec["metricsCollectorSpec"],
        )
        return bool(all(named) and conditions[-1]["reason"])
    except (KeyError, IndexError, TypeError):
        return False


def _touched(run: Path) -> float:
    return max(
        ((run / name).stat().st_mtime for name in (META, STATUS) if (run / name).exists()),
        default=0.0,
    )


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
    return Trial(
        **{**record, **{name: tuple(record[name]) for name in ("observation", "series", "tail")}}
    )
