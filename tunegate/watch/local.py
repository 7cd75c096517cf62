"""Follow a run on this machine by the files that its engine replaces.

It looks at the time of one file, four times a second.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from katib.errors import EngineError, TimedOut
from katib.local.run_folder import TRIALS, is_running, modified_at, newest_run, read_objects
from tunegate.watch.board import INTERRUPTED, Board, make_board

PERIOD = 0.25  # seconds between two looks
SIGN_OF_LIFE = 8  # looks without a change after which to look whether the engine still runs
RESUME = "`tunegate tune --resume` resumes it"


def local_boards(
    root: Path,
    experiment: str,
    *,
    deadline: float | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Board]:
    """Yield the newest run as it is, or as soon as there is one, then each change to its end.

    Args:
        root: the folder of all runs.
        experiment: whose run; any if empty.
        deadline: of the monotonic clock, None for no end.
        pause: waits for some seconds.

    Raises:
        TimedOut: when it is not over at the deadline.
        EngineError: when the run's files are deleted or damaged.
    """
    folder = _await_run(root, experiment, deadline, pause)
    seen = 0
    quiet = 0
    ended = False
    while True:
        # The lock before the file: an engine that has released it has written its last. A run that
        # reached its time limit may have been resumed, so an end counts only while no engine runs.
        alive = True
        if ended or quiet % SIGN_OF_LIFE == 0:
            alive = is_running(folder)
        now = modified_at(folder / TRIALS)
        if now != seen:
            quiet = 0 if seen else -1  # after the first look, look for the engine at once
            shown = _read_board(folder)
            seen = now
            ended = shown.ended is not None
            yield shown
        elif not alive:
            if not ended:
                yield _interrupted_board(folder)
            return
        _check_deadline(deadline, f"{folder}: not over in the time given")
        pause(PERIOD)
        quiet += 1


def _await_run(
    root: Path, experiment: str, deadline: float | None, pause: Callable[[float], None]
) -> Path:
    of = f" of {experiment}" if experiment else ""
    while (folder := newest_run(root, experiment)) is None:
        _check_deadline(deadline, f"no run{of} below {root} in the time given")
        pause(2 * PERIOD)
    return folder


def _check_deadline(deadline: float | None, message: str) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise TimedOut(message, hint="`tunegate doctor` says what it waits for")


def _read_board(folder: Path) -> Board:
    try:
        experiment, trials = read_objects(folder)
        return make_board(experiment, trials, where=str(folder), local=True)
    except OSError as error:
        raise EngineError(
            f"{folder}: {error.strerror}", hint="was it deleted? `tunegate tune` starts a new run"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"{folder}: its status is damaged", hint="`tunegate doctor` says what can be done"
        ) from error


def _interrupted_board(folder: Path) -> Board:
    if not (folder / TRIALS).exists():
        raise EngineError(f"{folder}: interrupted before its first trial", hint=RESUME)
    stopped = datetime.fromtimestamp(modified_at(folder / TRIALS) / 1e9, tz=UTC)
    return replace(
        _read_board(folder),
        state=INTERRUPTED,
        message=f"the run was interrupted; {RESUME}",
        ended=stopped,
    )
