"""Show an Experiment's trials as they come: as a live table, as lines, or as JSON."""

import math
import signal
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Protocol, Self

from rich.live import Live
from rich.text import Text

from katib.cluster.experiments import KatibCluster
from katib.errors import Gone
from tunegate.console import console, say
from tunegate.errors import ExitCode
from tunegate.output import emit_event
from tunegate.watch.board import Board, Row, make_board
from tunegate.watch.table import Screen, duration_text, is_over, state_words, utc_now, value_text

SUCCEEDED = "Succeeded"
REFRESH = 2  # times a second; what has changed is drawn at once


class View(Protocol):
    """Something that shows boards."""

    def show(self, now: Board) -> None:
        """Show how it is now."""

    def show_end(self, last: Board) -> None:
        """Show how it ended."""


def show_boards(boards: Iterable[Board], what: str, *, as_json: bool) -> int:
    """Show boards as they come, then how it ended; returns 0 only if the Experiment has succeeded.

    Ctrl-C ends only the watching.

    Args:
        boards: the changes.
        what: what is watched, for people who wait for the first one.
        as_json: whether to print one JSON object a change on stdout; otherwise it is shown on
            stderr.
    """
    last: Board | None = None
    try:
        with _choose_view(what, as_json=as_json) as view:
            for last in boards:
                view.show(last)
            if last:
                view.show_end(last)
    except KeyboardInterrupt:
        # Not a return: the command line's own report speaks of --resume, but no run was
        # interrupted.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    if last and last.state == SUCCEEDED:
        return ExitCode.DONE
    return ExitCode.ERROR


def cluster_boards(katib: KatibCluster, name: str, timeout: float | None) -> Iterator[Board]:
    """Yield each change of an Experiment on a cluster, once it is there, to its end.

    Raises:
        ClusterError: see `katib.errors`.
    """
    # Of equally old trials, a new one may come first in the list: each keeps its first number.
    places: dict[str, int] = {}
    try:
        for progress in katib.follow(name, timeout=timeout, appear=math.inf):
            for trial in progress.trials:
                places.setdefault(trial["metadata"]["name"], len(places))
            trials = sorted(progress.trials, key=lambda trial: places[trial["metadata"]["name"]])
            yield make_board(progress.experiment, trials, where=katib.namespace, local=False)
    except Gone as error:
        raise Gone(str(error), hint="`tunegate tune --on katib` creates it again") from error


def _choose_view(what: str, *, as_json: bool) -> "AbstractContextManager[View]":
    if as_json:
        return _JsonView()
    if console.is_terminal:
        return _TableView(what)
    return _LineView(what)


class _Changes:
    """Finds the trials that have changed since the last call."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def since_last(self, now: Board) -> list[Row]:
        found = [row for row in now.rows if self._states.get(row.name) != row.state]
        self._states |= {row.name: row.state for row in found}
        return found


class _TableView(AbstractContextManager["_TableView"]):
    """A table drawn in place; at the end the whole table stays, after Ctrl-C the last one drawn."""

    def __init__(self, what: str) -> None:
        self.waiting = Text(f"waiting for {what}; Ctrl-C stops")
        self.board: Board | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # Otherwise the terminal would stay without a cursor.
        signal.signal(signal.SIGTERM, _exit_on_sigterm)
        live = Live(
            get_renderable=self._screen,
            console=console,
            refresh_per_second=REFRESH,
            vertical_overflow="crop",
        )
        self.live = self._stack.enter_context(live)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def show(self, now: Board) -> None:
        self.board = now
        if not is_over(now):
            self.live.refresh()

    def show_end(self, last: Board) -> None:
        self.live.transient = True
        self._stack.close()
        console.print(Screen(last, utc_now(), whole=True), soft_wrap=False)
        say(_end_text(last))

    def _screen(self) -> "Screen | Text":
        if self.board:
            return Screen(self.board, utc_now())
        return self.waiting


class _LineView(AbstractContextManager["_LineView"]):
    """One line a change."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.changes = _Changes()
        self.known = False

    def __enter__(self) -> Self:
        say(f"watching {self.what} ...")
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def show(self, now: Board) -> None:
        best = f" (best {now.metric} {value_text(now.top.value)})" if now.top else ""
        for row in self.changes.since_last(now):
            say(f"trial {row.number} {row.name}: {_row_text(row, now)}{best}")

    def show_end(self, last: Board) -> None:
        say(_end_text(last))


class _JsonView(AbstractContextManager["_JsonView"]):
    """One JSON object a change, in the words of `tune --on katib --json`."""

    def __init__(self) -> None:
        self.changes = _Changes()

    def __exit__(self, *error: object) -> None:
        return None

    def show(self, now: Board) -> None:
        for row in self.changes.since_last(now):
            emit_event(
                "trial",
                number=row.number,
                **_row_as_json(row),
                state=row.state,
                seconds=row.seconds(utc_now()) if row.ended else None,
                message=row.message,
                best=_best_row_as_json(now),
            )

    def show_end(self, last: Board) -> None:
        emit_event(
            "end",
            experiment=last.name,
            where=last.where,
            state=last.state,
            message=last.message,
            trials=len(last.rows),
            best=_best_row_as_json(last),
        )


def _exit_on_sigterm(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _row_as_json(row: Row) -> dict[str, object]:
    return {"trial": row.name, "value": row.value, "assignments": row.assignments}


def _best_row_as_json(now: Board) -> dict[str, object] | None:
    if now.top:
        return _row_as_json(now.top)
    return None


def _row_text(row: Row, now: Board) -> str:
    lasted = duration_text(row.seconds(utc_now())) if row.ended else ""
    if row.value is not None:
        return f"{state_words(row.state)}, {now.metric} {value_text(row.value)}, {lasted}"
    text = ", ".join(filter(None, (state_words(row.state), lasted)))
    if row.ended and row.state != SUCCEEDED:
        text += f": {row.message}"
    return text


def _end_text(last: Board) -> str:
    text = last.message if is_over(last) else state_words(last.state)
    text += f"; best trial: {last.best or 'none'}"
    if last.top:
        text += f", {last.metric} {value_text(last.top.value)}"
    if last.ended:
        text += f"; ended {last.ended.astimezone():%Y-%m-%d %H:%M:%S}"
    return text
