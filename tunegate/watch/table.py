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

from katib.trial import FINISHED
from registry.metric_names import readable_number
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
    """A rich renderable of the trials that fit; `whole` shows all of them."""

    board: Board
    now: datetime
    whole: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for the width and height that there are."""
        head = [
            Text(line, no_wrap=True, overflow="ellipsis")
            for line in header_lines(self.board, self.now)
        ]
        columns = fitting_columns(self.board, self.board.ended or self.now, options.max_width)
        room = options.size.height - len(head) - max(c.heading.count("\n") + 1 for c in columns) - 2
        if self.whole:
            rows = self.board.rows
        else:
            rows = chosen_rows(self.board, max(LEAST_ROWS, room))
        yield Group(*head, _draw_table(columns, rows, self.board.best))
        if len(rows) < len(self.board.rows):
            counts = f"{len(rows)} of {len(self.board.rows)} trials"
            note = f"{counts}: the best, those that run, the newest"
            yield Text(note, style="dim", no_wrap=True, overflow="ellipsis")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column and its width; `text` gives a trial's cell."""

    heading: str
    text: Callable[[Row], str]
    width: int
    right: bool = True


def header_lines(board: Board, now: datetime) -> Iterator[str]:
    """Say in two lines how far it is and what is best."""
    counts = {
        state: sum(row.state == state for row in board.rows)
        for state in ("Running", *sorted(FINISHED))
    }
    parts = [f"{count} {state_words(state)}" for state, count in counts.items() if count]
    done = sum(row.state in FINISHED for row in board.rows)
    total = f"/{board.total}" if board.total else ""
    line = f"{board.name}: {state_words(board.state)}, {done}{total} trials ended"
    if parts:
        line += f": {', '.join(parts)}"
    yield line
    line = "no result yet"
    if board.top:
        line = f"best {board.metric} {value_text(board.top.value)} (trial {board.top.number})"
    if board.began:
        elapsed = ((board.ended or now) - board.began).total_seconds()
        line += f", {duration_text(elapsed)} elapsed"
    yield line


def fitting_columns(board: Board, now: datetime, width: int) -> list[TableColumn]:
    """Return the columns that fit, in their order; the most important ones are taken first."""
    number = _make_column(
        "#", board, lambda row: f"{'*' if row.name == board.best else ''}{row.number}"
    )
    trial = _make_column(
        "trial", board, lambda row: row.name.removeprefix(f"{board.name}-"), right=False
    )
    state = _make_column("state", board, lambda row: state_words(row.state), right=False)
    value = _make_column(board.metric, board, lambda row: value_text(row.value))
    lasted = _make_column("time", board, lambda row: duration_text(row.seconds(now)))
    names = list(dict.fromkeys(name for row in board.rows for name in row.assignments))
    parameters = [_make_column(name, board, partial(_assignment, name)) for name in names]
    left = width + GAP  # there is none after the last column
    taken = list[TableColumn]()
    for column in (number, value, state, lasted, trial, *parameters):
        if column.width + GAP <= left:
            left -= column.width + GAP
            taken.append(column)
    order = (number, trial, state, *parameters, value, lasted)
    return [column for column in order if column in taken] or [number]


def chosen_rows(board: Board, room: int) -> tuple[Row, ...]:
    """Return as many trials as fit: the best, then those that run, then the newest."""
    newest = sorted(
        board.rows, key=lambda row: (row.name != board.best, row.state != "Running", -row.number)
    )
    return tuple(sorted(newest[:room], key=lambda row: row.number))


def state_words(state: str) -> str:
    """Return a state in lower case and few letters."""
    return STATES.get(state, state.lower())


def value_text(value: float | None) -> str:
    """Return an objective's value; empty where there is none."""
    return "" if value is None else readable_number(value)


def duration_text(seconds: float | None) -> str:
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


def _make_column(
    heading: str, board: Board, text: Callable[[Row], str], *, right: bool = True
) -> TableColumn:
    lines = _fold_heading(heading).split("\n")
    widths = [cell_len(text(row)) for row in board.rows]
    return TableColumn("\n".join(lines), text, max(*map(cell_len, lines), *widths, 1), right)


def _fold_heading(heading: str) -> str:
    """Break a name after its underscores and hyphens, so that a narrow column holds it."""
    lines = [""]
    for piece in heading.replace("_", "_\0").replace("-", "-\0").split("\0"):
        if lines[-1] and cell_len(lines[-1] + piece) > HEADING:
            lines.append("")
        lines[-1] += piece
    return "\n".join(_cut_text(line, HEADING + 1) for line in lines)


def _shorten_value(value: str) -> str:
    """Cut a number to four digits; a long word to its beginning."""
    try:
        number = float(value)
    except ValueError:
        return _cut_text(value, CELL)
    if math.isfinite(number) and len(value) > len(f"{number:.4g}"):
        return f"{number:.4g}"
    return value


def _cut_text(text: str, width: int) -> str:
    """Cut a text to the width that it takes on a screen, where some characters are two wide."""
    cut = Text(text)
    cut.truncate(width, overflow="ellipsis")
    return cut.plain


def _draw_table(columns: list[TableColumn], rows: tuple[Row, ...], best: str) -> Table:
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


def is_over(board: Board) -> bool:
    """Whether nothing more will change."""
    return board.state in FINISHED or board.state == INTERRUPTED


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


def _assignment(name: str, row: Row) -> str:
    return _shorten_value(row.assignments.get(name, ""))
