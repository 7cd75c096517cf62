"""The table of trials as a terminal of any size can hold it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from katib.cluster.experiments import ENDED
from katib.trial import FINISHED
from tunegate.watch.board import INTERRUPTED, Board, Row

STATES = {  # shorter than Katib's
    "Created": "waiting",
    "MetricsUnavailable": "no metric",
    "EarlyStopped": "stopped",
}
COLOURS = {
    "Running": "cyan",
    "Failed": "red",
    "MetricsUnavailable": "red",
    "EarlyStopped": "yellow",
    "Created": "dim",
}
GAP = 2
HEADING = 9  # widest line of a heading
CELL = 12  # widest value of a parameter
LEAST_ROWS = 3


@dataclass(frozen=True, slots=True)
class Screen:
    """A rich renderable: what of a board fits; `whole` shows every trial, however many lines that takes."""

    board: Board
    now: datetime
    whole: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width and height that there are."""
        head = [
            Text(line, no_wrap=True, overflow="ellipsis") for line in header(self.board, self.now)
        ]
        columns = fitting(self.board, self.board.ended or self.now, options.max_width)
        room = options.size.height - len(head) - max(c.heading.count("\n") + 1 for c in columns) - 2
        if self.whole:
            rows = self.board.rows
        else:
            rows = chosen(self.board, max(LEAST_ROWS, room))
        yield Group(*head, _table(columns, rows, self.board.best))
        if len(rows) < len(self.board.rows):
            note = f"{len(rows)} of {len(self.board.rows)} trials: the best, those that run, the newest"
            yield Text(note, style="dim", no_wrap=True, overflow="ellipsis")


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its width; `text` gives a trial's cell."""

    heading: str
    text: Callable[[Row], str]
    width: int
    right: bool = True


def header(board: Board, now: datetime) -> Iterator[str]:
    """Say in two lines how far it is and what is best."""
    counts = {
        state: sum(row.state == state for row in board.rows)
        for state in ("Running", *sorted(FINISHED))
    }
    parts = [f"{count} {words(state)}" for state, count in counts.items() if count]
    done = sum(row.state in FINISHED for row in board.rows)
    yield (
        f"{board.name}: {words(board.state)}, {done}{f'/{board.total}' if board.total else ''} trials ended"
        + (f": {', '.join(parts)}" if parts else "")
    )
    if board.top:
        best = f"best {board.metric} {shown(board.top.value)} (trial {board.top.number})"
    else:
        best = "no result yet"
    if board.began:
        elapsed = ((board.ended or now) - board.began).total_seconds()
    else:
        elapsed = None
    yield f"{best}, {clock(elapsed)} elapsed" if elapsed is not None else best


def fitting(board: Board, now: datetime, width: int) -> list[Column]:
    """Return the columns that fit, in their order on the screen; what matters most is taken first."""
    number = _column("#", board, lambda row: f"{'*' if row.name == board.best else ''}{row.number}")
    trial = _column(
        "trial", board, lambda row: row.name.removeprefix(f"{board.name}-"), right=False
    )
    state = _column("state", board, lambda row: words(row.state), right=False)
    value = _column(board.metric, board, lambda row: shown(row.value))
    lasted = _column("time", board, lambda row: clock(row.seconds(now)))
    names = list(dict.fromkeys(name for row in board.rows for name in row.assignments))
    parameters = [_column(name, board, partial(_assignment, name)) for name in names]
    left = width
    taken = list[Column]()
    for column in (number, value, state, lasted, trial, *parameters):
        if column.width + (GAP if taken else 0) <= left:
            left -= column.width + (GAP if taken else 0)
            taken.append(column)
    order = (number, trial, state, *parameters, value, lasted)
    return [column for column in order if column in taken] or [number]


def chosen(board: Board, room: int) -> tuple[Row, ...]:
    """Return as many trials as there is room for: the best, then those that run, then the newest."""
    newest = sorted(
        board.rows, key=lambda row: (row.name != board.best, row.state != "Running", -row.number)
    )
    return tuple(sorted(newest[:room], key=lambda row: row.number))


def words(state: str) -> str:
    """Return a state in lower case and few letters."""
    return STATES.get(state, state.lower())


def shown(value: float | None) -> str:
    """Return an objective's value; empty where there is none."""
    return "" if value is None else f"{value:.4g}"


def clock(seconds: float | None) -> str:
    """Return a duration: 7 s, 1:05, 2:03:04."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    if minutes:
        return f"{minutes}:{rest:02}"
    return f"{rest} s"


def _column(
    heading: str, board: Board, text: Callable[[Row], str], *, right: bool = True
) -> Column:
    lines = _folded(heading).split("\n")
    widths = [cell_len(text(row)) for row in board.rows]
    return Column("\n".join(lines), text, max(*map(cell_len, lines), *widths, 1), right)


def _folded(heading: str) -> str:
    """Break a name after its underscores and hyphens, so that a narrow column holds it."""
    lines = [""]
    for piece in heading.replace("_", "_\0").replace("-", "-\0").split("\0"):
        if lines[-1] and cell_len(lines[-1] + piece) > HEADING:
            lines.append("")
        lines[-1] += piece
    return "\n".join(_cut(line, HEADING + 1) for line in lines)


def _short(value: str) -> str:
    """Cut a number to four digits; a long word to its beginning."""
    try:
        number = float(value)
    except ValueError:
        return _cut(value, CELL)
    if math.isfinite(number) and len(value) > len(f"{number:.4g}"):
        return f"{number:.4g}"
    return value


def _cut(text: str, width: int) -> str:
    """Cut a text to the width that it takes on a screen, where some characters are two wide."""
    cut = Text(text)
    cut.truncate(width, overflow="ellipsis")
    return cut.plain


def _table(columns: list[Column], rows: tuple[Row, ...], best: str) -> Table:
    table = Table(
        box=None, padding=(0, GAP, 0, 0), pad_edge=False, collapse_padding=True, header_style="bold"
    )
    for column in columns:
        side: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(
            Text(column.heading), width=column.width, justify=side, vertical="bottom", no_wrap=True
        )
    for row in rows:
        if row.name == best:
            style = "bold green"
        else:
            style = COLOURS.get(row.state, "")
        table.add_row(*(Text(column.text(row)) for column in columns), style=style)
    return table


def over(board: Board) -> bool:
    """Whether nothing more will change."""
    return board.state in ENDED or board.state == INTERRUPTED


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def _assignment(name: str, row: Row) -> str:
    return _short(row.assignments.get(name, ""))
