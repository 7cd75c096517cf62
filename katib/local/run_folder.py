"""The folder of a run: its files, its lock, and which run is the newest.

A run's folder is `<state>/experiments/<experiment>/<number>/`.

| file | |
|---|---|
| `run.json` | what the engine was started with; only a run of this machine has it |
| `trials.jsonl` | the journal of a run of this machine, its whole state |
| `experiment.json`, `trials.json` | the Experiment and its Trials as Katib shows them |
| `cluster.json` | whose objects were kept here, of an Experiment that ran on a cluster |
| `lock` | held while an engine runs here |
"""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from katib.errors import EngineError
from katib.local.journal import JournalContent, parse_journal
from katib.objects import JsonObject, KatibObject, is_finished, reason
from katib.trial import Trial

JOURNAL = "trials.jsonl"
STATUS = "experiment.json"
TRIALS = "trials.json"
META = "run.json"
CLUSTER = "cluster.json"
LOCK = "lock"


def runs(root: Path, experiment: str) -> list[Path]:
    """Return the folders of an experiment's runs, the lowest number first."""
    folder = root / experiment
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda path: int(path.name))


def newest_run(root: Path, experiment: str = "") -> Path | None:
    """Return the newest run of one Experiment, or of any: the one whose files were written last.

    That is the run with the latest `run.json`, written when an engine starts, or `trials.json`,
    written when a trial starts or ends; of equally late ones of an Experiment, the one with the
    higher number. It may run at this moment, be interrupted or have ended, here or on a cluster. A
    folder without either file has not begun and is no run yet. Every command that speaks of "the
    newest run" means this one.

    Args:
        root: the folder of all Experiments' runs.
        experiment: whose run; any Experiment's if empty.

    Returns:
        The run's folder, or None if there is none.
    """
    if experiment:
        names = [experiment]
    else:
        names = [path.name for path in root.iterdir()] if root.is_dir() else []
    begun = [
        (written, name, int(run.name), run)
        for name in names
        for run in runs(root, name)
        if (written := _last_written(run))
    ]
    return max(begun)[-1] if begun else None


def _last_written(run: Path) -> int:
    """Return when a run's files were last written, in nanoseconds; 0 if it has not begun."""
    return max(modified_at(run / META), modified_at(run / TRIALS))


def modified_at(path: Path) -> int:
    """Return when a file was last replaced, in nanoseconds since 1970; 0 if it does not exist."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


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


def prune(root: Path, experiment: str, *, keep: int) -> None:
    """Delete the runs of an experiment with the lowest numbers, so that `keep` are left."""
    for path in runs(root, experiment)[:-keep]:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the run's lock; the kernel releases it with the process, however that ends.

    Raises:
        EngineError: when another process holds it.
    """
    try:
        file = (path / LOCK).open("w")
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


def is_running(folder: Path) -> bool:
    """Whether an engine runs in this folder at the moment."""
    try:
        with (folder / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: several may look at once
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run's folder as it was when it was read.

    Attributes:
        folder: the folder.
        held: whether an engine was running in it.
        ran_here: whether an engine of this machine began it; otherwise its objects were kept from
            elsewhere.
        meta: what it was started with; empty when that cannot be read.
        experiment: the Experiment with its status; empty before the first trial starts.
        trials: the journal's trials, in the order in which they were asked for.
        torn: whether the journal's last line was cut off.
        damaged: files that cannot be read, and why.
    """

    folder: Path
    held: bool
    ran_here: bool
    meta: KatibObject
    experiment: JsonObject
    trials: tuple[Trial, ...]
    torn: bool
    damaged: tuple[str, ...]

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end, whatever that was."""
        return is_finished(self.experiment)

    @property
    def interrupted(self) -> bool:
        """Whether an engine began it, and stopped before its end."""
        return self.ran_here and not self.ended and not self.held


def read_run(folder: Path) -> LocalRun:
    """Read a run's folder; damaged files are listed in the result, never raised."""
    damaged: list[str] = []
    # The lock first: an engine that ends meanwhile writes its last before it releases the lock.
    held = is_running(folder)
    journal = _read_journal(folder / JOURNAL, damaged)
    meta = _read_document(folder / META, damaged)
    experiment = _read_document(folder / STATUS, damaged)
    if experiment and not _is_complete(experiment):
        damaged.append(f"{folder / STATUS}: not an Experiment with its status")
        experiment = {}
    return LocalRun(
        folder=folder,
        held=held,
        ran_here=(folder / META).exists(),
        meta=meta,
        experiment=experiment,
        trials=journal.ordered(),
        torn=journal.torn,
        damaged=tuple(damaged),
    )


def read_meta(folder: Path) -> JsonObject | None:
    """Return what a run was started with; None if no engine began it.

    Raises:
        OSError, ValueError: when the file cannot be read.
    """
    try:
        meta: JsonObject = json.loads((folder / META).read_bytes())
    except FileNotFoundError:
        return None
    return meta


def read_objects(folder: Path) -> tuple[JsonObject, list[JsonObject]]:
    """Return the Experiment and its Trials as Katib would show them now.

    Raises:
        OSError: when a file is missing.
        ValueError, KeyError, TypeError: when a file is damaged; an engine replaces them whole.
    """
    experiment = json.loads((folder / STATUS).read_bytes())
    return experiment, list(json.loads((folder / TRIALS).read_bytes())["items"])


def write_meta(folder: Path, meta: JsonObject) -> None:
    """Write what a run was started with; raises as `replace_file` does."""
    replace_file(folder / META, _to_bytes(meta))


def write_objects(
    folder: Path,
    experiment: JsonObject,
    trials: Sequence[JsonObject],
    write: Callable[[Path, bytes], None] | None = None,
) -> None:
    """Write the Experiment and its Trials; raises as `replace_file` does.

    Args:
        folder: the run's folder.
        experiment: the Experiment with its status.
        trials: its Trials, in the order in which they were asked for.
        write: replaces one file; `replace_file` by default.
    """
    write = write or replace_file
    listed = {"apiVersion": "kubeflow.org/v1beta1", "kind": "TrialList", "items": list(trials)}
    write(folder / STATUS, _to_bytes(experiment))
    write(folder / TRIALS, _to_bytes(listed))  # the last: readers look at its time alone


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file of a run at once, so that no reader sees half of it.

    Raises:
        EngineError: when it cannot be written.
    """
    temporary = path.with_suffix(".new")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        hint = "free some space, then continue with --resume; no finished trial is lost"
        raise EngineError(f"{path}: {error.strerror}", hint=hint) from error


def _to_bytes(document: JsonObject) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()


def _is_complete(experiment: JsonObject) -> bool:
    """Whether an Experiment has the fields that an engine writes."""
    try:
        spec = experiment["spec"]
        objective = spec["objective"]
        named = (objective["objectiveMetricName"], objective["type"], spec["metricsCollectorSpec"])
        return all(named) and bool(reason(experiment))
    except (AttributeError, KeyError, TypeError):
        return False


def _read_document(path: Path, damaged: list[str]) -> JsonObject:
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


def _read_journal(path: Path, damaged: list[str]) -> JournalContent:
    """Read what can be read: a damaged line prevents only the resuming of the run."""
    content = b""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        damaged.append(f"{path}: {error.strerror}")
    found = parse_journal(content)
    damaged += [f"{path}:{number}: not a trial record" for number in found.damaged]
    return found
