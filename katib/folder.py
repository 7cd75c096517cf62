"""The folder of one run: who may use it, and which comes next."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from katib.errors import EngineError

JOURNAL, STATUS, TRIALS, META = "trials.jsonl", "experiment.json", "trials.json", "run.json"


def runs(root: Path, experiment: str) -> list[Path]:
    """Return the folders of an experiment's runs, oldest first."""
    folder = root / experiment
    found = [path for path in folder.iterdir() if path.name.isdecimal()] if folder.is_dir() else []
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
            raise EngineError(f"{path}: {error.strerror}", hint="choose another --state folder") from error
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
        raise EngineError(f"{path}: {error.strerror}", hint="choose another --state folder") from error
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
