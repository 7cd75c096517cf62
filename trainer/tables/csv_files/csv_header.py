"""Finds where a CSV file's table begins, and whether its first line names the columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from trainer.spec import ReadSpec
from trainer.tables.csv_files.csv_dialect import Dialect, usual_width

COMMENTS = ("#", "%", "//")
_NUMBER = re.compile(r"[-+]?[^\w\s]?\s?(\d[\d.,]*|[.,]\d+)(e[-+]?\d+)?\s?[^\w\s]?", re.IGNORECASE)
_ANNOUNCEMENT = re.compile(r'"?sep=."?\s*')  # Excel's own first line
_LOOK_AHEAD = 100  # records in which a header is looked for


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a CSV file's cells begin.

    Attributes:
        skipped: how many lines stand above the header, or above the first row without one.
        preamble: the texts of those that are not blank.
        header: whether there is a header.
        names: the columns' names as the header writes them; without one column_1, column_2, ...
    """

    skipped: int
    preamble: tuple[str, ...]
    header: bool
    names: tuple[str, ...]

    @property
    def rows_begin(self) -> int:
        """How many lines stand above the first row; a quoted name may have several lines."""
        if not self.header:
            return self.skipped
        breaks = sum(max(0, len(name.splitlines()) - 1) for name in self.names)
        return self.skipped + 1 + breaks


@dataclass(frozen=True, slots=True)
class _Record:
    first_line: int  # lines above it
    cells: tuple[str, ...]


def find_layout(text: str, dialect: Dialect, read: ReadSpec, target: str) -> Layout:
    """Return where the table begins.

    The header is the first record that names the target. Where none does, it is the first record of
    the usual length, unless one of its cells is a number: then the file has no header. What stands
    above is a preamble: titles, comments, blank lines.

    Args:
        text: the file's first lines.
        dialect: how they become cells.
        read: what the spec states; it is not questioned.
        target: a column's name that the header must hold, if there is one.
    """
    lines = text.splitlines(keepends=True)
    records = _records(lines, dialect, read, target)
    if not records:
        return Layout(0, (), header=True, names=())
    width = usual_width([record.cells for record in records])
    named = _naming(records, target, width)
    first = named or next(record for record in records if len(record.cells) == width)
    if not named and _is_title_above(records, first):
        first = records[0]  # a short header is an error to report, not a title to skip
    header = read.header
    if header is None:
        header = named is not None or not any(_is_number(cell) for cell in first.cells)
    above = tuple(
        line.strip()
        for line in lines[: first.first_line]
        if line.strip() and not _ANNOUNCEMENT.fullmatch(line)
    )
    if header:
        names = first.cells
    else:
        names = tuple(f"column_{number}" for number in range(1, width + 1))
    return Layout(first.first_line, above, header, names)


def _records(lines: Sequence[str], dialect: Dialect, read: ReadSpec, target: str) -> list[_Record]:
    """Return the first records, without comments and Excel's "sep=" line."""
    found: list[_Record] = []
    for after, cells in dialect.records(lines):
        begin = after - _line_count(cells)
        if not _is_comment(lines[begin], cells, read, target):
            found.append(_Record(begin, tuple(cells)))
        if len(found) >= _LOOK_AHEAD:
            break
    return found


def _line_count(cells: Sequence[str]) -> int:
    """Return over how many lines a record goes: its line breaks are within its cells."""
    return 1 + sum(cell.count("\n") or cell.count("\r") for cell in cells)


def _is_comment(line: str, cells: Sequence[str], read: ReadSpec, target: str) -> bool:
    if read.comment:
        return line.startswith(read.comment)
    if _ANNOUNCEMENT.fullmatch(line):
        return True
    return line.startswith(COMMENTS) and target not in map(str.strip, cells)


def _naming(records: Sequence[_Record], target: str, width: int) -> _Record | None:
    naming = [record for record in records if target in (cell.strip() for cell in record.cells)]
    usual = [record for record in naming if len(record.cells) == width]
    return next(iter(usual or naming), None)


def _is_title_above(records: Sequence[_Record], first: _Record) -> bool:
    """Tell whether a record of several cells stands above the first one of the usual length."""
    above = records[: records.index(first)]
    return any(sum(bool(cell.strip()) for cell in record.cells) > 1 for record in above)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None
