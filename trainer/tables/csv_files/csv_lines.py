"""Goes through a CSV file's records with their lines: for messages, and to check their lengths."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from trainer.tables.csv_files.csv_dialect import Dialect


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """One row of a CSV file.

    Attributes:
        line: its first line, counted from 1.
        text: its lines.
        width: its number of cells.
        filled: the same without empty cells at its end.
    """

    line: int
    text: str
    width: int
    filled: int

    def has_width(self, width: int) -> bool:
        """Tell whether there are so many cells; empty ones at the end may be more."""
        return self.filled <= width <= self.width


@dataclass(frozen=True, slots=True)
class CsvRows:
    """The rows of a CSV file, read again where a message needs a line.

    Attributes:
        open: opens the text at its beginning.
        dialect: how lines become cells.
        skipped: lines above the first row, with the header.
        comment: what begins a line that is not read; empty for none.
        width: rows of another length were left out; 0 if none were.
    """

    open: Callable[[], TextIO]
    dialect: Dialect
    skipped: int
    comment: str = ""
    width: int = 0

    def records(self) -> Iterator[CsvRecord]:
        """Yield all rows, those of another length too."""
        with self.open() as stream:
            kept = _Recorder(stream, self.comment)
            kept.skip(self.skipped)
            for _, cells in self.dialect.records(kept):
                line, text = kept.take()
                yield CsvRecord(line, text, len(cells), _filled_width(cells))

    def uneven(self, width: int) -> list[CsvRecord]:
        """Return the rows that have not `width` cells; empty ones at the end do not count."""
        return [record for record in self.records() if not record.has_width(width)]

    def even_texts(self, width: int) -> Iterator[str]:
        """Yield the texts of the rows that have `width` cells."""
        for record in self.records():
            if record.has_width(width):
                yield record.text

    def line_of(self, position: int) -> int:
        """Return the line that a row begins in, counted from 1."""
        for index, record in enumerate(self._read_records()):
            if index == position:
                return record.line
        return self.skipped + position + 1

    def place_of(self, position: int) -> str:
        """Return the line for people."""
        return f"line {self.line_of(position)}"

    def _read_records(self) -> Iterator[CsvRecord]:
        if not self.width:
            return self.records()
        return (record for record in self.records() if record.has_width(self.width))


class _Recorder:
    """Yields lines without comments, and keeps those of the present record."""

    def __init__(self, stream: TextIO, comment: str) -> None:
        self._stream = stream
        self._comment = comment
        self._number = 0
        self._kept: list[str] = []
        self._first = 0

    def skip(self, lines: int) -> None:
        for _ in range(lines):
            self._stream.readline()
            self._number += 1

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self._number += 1
            if self._comment and line.startswith(self._comment):
                continue
            if not "".join(self._kept).strip():  # no record begins with a blank line
                self._kept.clear()
                self._first = self._number
            self._kept.append(line)
            yield line

    def take(self) -> tuple[int, str]:
        """Return the first line's number and the text of the record that was just read."""
        text = "".join(self._kept)
        self._kept.clear()
        return self._first, text


def _filled_width(cells: Sequence[str]) -> int:
    for index in range(len(cells), 0, -1):
        if cells[index - 1].strip():
            return index
    return 0
