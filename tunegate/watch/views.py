"""`tunegate watch`: show an Experiment's trials as they come, on a terminal, as lines, or as JSON."""

import math
import signal
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Any, Protocol, Self

from rich.live import Live
from rich.text import Text

from katib.cluster.experiments import KatibCluster
from katib.errors import Gone
from tunegate.console import console, say
from tunegate.errors import ExitCode
from tunegate.output import emit_event
from tunegate.watch.board import Board, Row, board
from tunegate.watch.table import Screen, clock, over, shown, utc_now, words

SUCCEEDED = "Succeeded"
REFRESH = 2  # times a second; what has changed is drawn at once


class View(Protocol):
    """Something that shows boards."""

    def show(self, now: Board) -> None:
        """Show how it is now."""

    def end(self, last: Board) -> None:
        """Show how it ended."""


def watch(boards: Iterable[Board], what: str, *, as_json: bool) -> int:
    """Show boards as they come, then how it ended; returns the exit code: 0 only where the Experiment has succeeded.

    Ctrl-C ends only the watching.

    Args:
        boards: the changes.
        what: what is watched, for people who wait for the first one.
        as_json: whether to print one JSON object a change on stdout; otherwise it is shown on stderr.
    """
    last: Board | None = None
    try:
        with _view(what, as_json=as_json) as view:
            for last in boards:
                view.show(last)
            if last:
                view.end(last)
    except KeyboardInterrupt:
        # Not a return: the command line's own farewell speaks of --resume, and nothing was interrupted here.
        raise SystemExit(ExitCode.INTERRUPTED) from None
    if last and last.state == SUCCEEDED:
        return ExitCode.DONE
    return ExitCode.ERROR


def cluster_boards(katib: KatibCluster, name: str, timeout: float | None) -> Iterator[Board]:
    """Yield each change of an Experiment on a cluster, once it is there, to its end.

    Raises:
        ClusterError: see `katib.errors`.
    """
    places: dict[
        str, int
    ] = {}  # of equally old ones, another may come in front: who was seen first keeps its number
    try:
        for progress in katib.follow(name, timeout=timeout, appear=math.inf):
            for trial in progress.trials:
                places.setdefault(trial["metadata"]["name"], len(places))
            trials = sorted(progress.trials, key=lambda trial: places[trial["metadata"]["name"]])
            yield board(progress.experiment, trials, where=katib.namespace, local=False)
    except Gone as error:
        raise Gone(str(error), hint="`tunegate tune --on katib` creates it anew") from error


def _view(what: str, *, as_json: bool) -> "AbstractContextManager[View]":
    if as_json:
        return _Json()
    if console.is_terminal:
        return _Table(what)
    return _Lines(what)


class _Changes:
    """Knows which trials have changed since it was asked last."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}

    def of(self, now: Board) -> list[Row]:
        found = [row for row in now.rows if self._states.get(row.name) != row.state]
        self._states |= {row.name: row.state for row in found}
        return found


class _Table(AbstractContextManager["_Table"]):
    """Redrawn in place; what stays after the end is the whole table, after Ctrl-C what was seen last."""

    def __init__(self, what: str) -> None:
        self.waiting = Text(f"waiting for {what}; Ctrl-C stops")
        self.board: Board | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, _leave)  # or the terminal would stay without a cursor
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
        if not over(now):
            self.live.refresh()

    def end(self, last: Board) -> None:
        self.live.transient = True
        self._stack.close()
        console.print(Screen(last, utc_now(), whole=True), soft_wrap=False)
        say(_verdict(last))

    def _screen(self) -> "Screen | Text":
        if self.board:
            return Screen(self.board, utc_now())
        return self.waiting


class _Lines(AbstractContextManager["_Lines"]):
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
        if now.top:
            best = f" (best {now.metric} {shown(now.top.value)})"
        else:
            best = ""
        for row in self.changes.of(now):
            say(f"trial {row.number} {row.name}: {_said(row, now)}{best}")

    def end(self, last: Board) -> None:
        say(_verdict(last))


class _Json(AbstractContextManager["_Json"]):
    """One JSON object a change, in the words of `tune --on katib --json`."""

    def __init__(self) -> None:
        self.changes = _Changes()

    def __exit__(self, *error: object) -> None:
        return None

    def show(self, now: Board) -> None:
        for row in self.changes.of(now):
            seconds = row.seconds(utc_now()) if row.ended else None
            emit_event(
                "trial", number=row.number, **_facts(row), state=row.state, seconds=seconds, message=row.message,
                best=_facts(now.top) if now.top else None,
            )  # fmt: skip

    def end(self, last: Board) -> None:
        best = _facts(last.top) if last.top else None
        emit_event(
            "end", experiment=last.name, where=last.where, state=last.state, message=last.message,
            trials=len(last.rows), best=best,
        )  # fmt: skip


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _facts(row: Row) -> dict[str, Any]:
    return {"trial": row.name, "value": row.value, "assignments": row.assignments}


def _said(row: Row, now: Board) -> str:
    lasted = clock(row.seconds(utc_now())) if row.ended else ""
    if row.value is not None:
        return f"{words(row.state)}, {now.metric} {shown(row.value)}, {lasted}"
    if row.ended and row.state != SUCCEEDED:
        why = f": {row.message}"
    else:
        why = ""
    return ", ".join(part for part in (words(row.state), lasted) if part) + why


def _verdict(last: Board) -> str:
    if last.top:
        best = f"best trial: {last.best}, {last.metric} {shown(last.top.value)}"
    else:
        best = "best trial: none"
    if last.ended:
        when = f"; ended {last.ended.astimezone():%Y-%m-%d %H:%M:%S}"
    else:
        when = ""
    return f"{last.message if over(last) else words(last.state)}; {best}{when}"
