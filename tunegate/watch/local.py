"""Follow a run on this machine by the files that its engine replaces; one look at one file's date a quarter second."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from katib.errors import EngineError, TimedOut
from katib.local.run_folder import TRIALS, held, newest_run, read_objects
from tunegate.watch.board import INTERRUPTED, Board, board

PERIOD = 0.25  # seconds between two looks
SIGN_OF_LIFE = 8  # looks without a change after which it is asked whether the engine is still there
RESUME = "`tunegate tune --resume` goes on with it"


def local_boards(
    root: Path,
    experiment: str,
    *,
    deadline: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Board]:
    """Yield each change of the newest run, from its beginning, or from now, to its end.

    Args:
        root: the folder of all runs.
        experiment: whose run; any where empty.
        deadline: of the monotonic clock, None for no end.
        pause: waits for some seconds.

    Raises:
        TimedOut: when it is not over at the deadline.
        EngineError: when the run's files are deleted or damaged.
    """
    folder = _first(root, experiment, deadline, pause)
    seen = 0
    quiet = 0
    ended = False
    while True:
        # Asked before the look at the file: an engine that has let go has written its last. One whose time was over
        # may be gone on with, so an end counts only where nobody is at it.
        alive = held(folder) if ended or quiet % SIGN_OF_LIFE == 0 else True
        now = _stamp(folder / TRIALS)
        if now != seen:
            quiet = 0 if seen else -1  # after the first look it is asked at once
            shown = _read(folder)
            seen = now
            ended = shown.ended is not None
            yield shown
        elif not alive:
            if not ended:
                yield _interrupted(folder)
            return
        _check(deadline, f"{folder}: not over in the time given")
        pause(PERIOD)
        quiet += 1


def _first(
    root: Path, experiment: str, deadline: float | None, pause: Callable[[float], None]
) -> Path:
    while (folder := newest_run(root, experiment)) is None:
        _check(
            deadline,
            f"no run{f' of {experiment}' if experiment else ''} below {root} in the time given",
        )
        pause(2 * PERIOD)
    return folder


def _check(deadline: float | None, message: str) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise TimedOut(message, hint="`tunegate doctor` says what it waits for")


def _stamp(path: Path) -> int:
    """Return when a file was last replaced; 0 before the first time."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read(folder: Path) -> Board:
    try:
        experiment, trials = read_objects(folder)
        return board(experiment, trials, where=str(folder), local=True)
    except OSError as error:
        raise EngineError(
            f"{folder}: {error.strerror}", hint="was it deleted? `tunegate tune` starts anew"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"{folder}: its status is damaged", hint="`tunegate doctor` says what can be done"
        ) from error


def _interrupted(folder: Path) -> Board:
    if not (folder / TRIALS).exists():
        raise EngineError(f"{folder}: interrupted before its first trial", hint=RESUME)
    stopped = datetime.fromtimestamp(_stamp(folder / TRIALS) / 1e9, tz=UTC)
    return replace(
        _read(folder),
        state=INTERRUPTED,
        message=f"the run was interrupted; {RESUME}",
        ended=stopped,
    )
