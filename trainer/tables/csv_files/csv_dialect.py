"""Finds out a CSV file's dialect by trying: the right one gives rows of equal length."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trainer.spec import ReadSpec

SEPARATORS = (",", ";", "\t", "|")
SPACES = r"\s+"  # runs of spaces, as pandas writes it
_TRIED_LINES = 300
_CLEAN_CELL = re.compile(
    r"\s*(?:[-+(]?[^\w\s]{0,3}\s?\d[\d., '\u00a0\u202f]*\S{0,6}|[^,;|\t]*)\s*", re.DOTALL
)
_LEAST_SUPPORT = 0.6
_SINGLE_QUOTES = re.compile(r"(?:^|[,;\t|])\s*'[^'\n]*'\s*(?=$|[,;\t|])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file's lines become cells.

    Attributes:
        separator: one character, or `SPACES`.
        quote: around a cell that holds a separator or a line break.
        escape: before a quote within a cell, where quotes are not doubled; empty otherwise.
        strip: whether spaces after a separator do not belong to the cell.
    """

    separator: str = ","
    quote: str = '"'
    escape: str = ""
    strip: bool = True

    def records(self, lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Split lines into records.

        Yields:
            The number of lines read so far, and the cells; a blank line is no record.
        """
        reader = csv.reader(
            map(_one_space, lines) if self.separator == SPACES else lines,
            delimiter=" " if self.separator == SPACES else self.separator,
            quotechar=self.quote,
            escapechar=self.escape or None,
            doublequote=not self.escape,
            skipinitialspace=self.strip,
        )
        for cells in reader:
            if cells and not (len(cells) == 1 and not cells[0].strip()):
                yield reader.line_num, cells


def find_dialect(text: str, read: ReadSpec, target: str) -> Dialect:
    """Return the dialect that makes the most of the first lines.

    Each separator is tried. Its score is the share of rows that have the usual number of cells,
    times the share of cells without another separator; one that makes the target a cell of its own
    wins over all that do not.

    Args:
        text: the file's first lines.
        read: what the spec states; it is not questioned.
        target: a column's name that the header must hold, if there is one.
    """
    quote = read.quote or _find_quote(text)
    escape = ""
    if f"\\{quote}" in text and f"{quote}{quote}" not in text.replace(f"\\{quote}", ""):
        escape = "\\"
    lines = text.splitlines(keepends=True)[:_TRIED_LINES]
    stated = read.separator or _announced_separator(lines)
    if stated:
        return Dialect(stated, quote, escape, read.strip)
    candidates = [Dialect(separator, quote, escape, read.strip) for separator in SEPARATORS]
    best = max(candidates, key=lambda dialect: _score(dialect, lines, target))
    if _score(best, lines, target) >= _LEAST_SUPPORT:
        return best
    spaces = Dialect(SPACES, quote, escape, read.strip)
    if _score(spaces, lines, target) >= _LEAST_SUPPORT and _has_numbers(spaces, lines):
        return spaces
    return candidates[0]


def usual_width(records: Sequence[Sequence[str]]) -> int:
    """Return the most frequent number of cells; the larger of two that are equally frequent."""
    counts = Counter(len(cells) for cells in records)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _score(dialect: Dialect, lines: Sequence[str], target: str) -> float:
    try:
        records = [cells for _, cells in dialect.records(lines)]
    except csv.Error:
        return 0.0
    width = usual_width(records)
    if width < 2:  # noqa: PLR2004 - one cell a row: nothing was separated
        return 0.0
    usual = [cells for cells in records if len(cells) == width]
    cells = [cell for row in usual for cell in row]
    clean = sum(_CLEAN_CELL.fullmatch(cell) is not None for cell in cells) / len(cells)
    named = any(target in map(str.strip, row) for row in records if len(row) > 1)
    return named + len(usual) / len(records) * clean


def _has_numbers(dialect: Dialect, lines: Sequence[str]) -> bool:
    """Tell whether there is a number in each of most rows: prose has spaces too."""
    rows = [cells for _, cells in dialect.records(lines)]
    with_number = sum(any(cell[-1:].isdigit() for cell in row) for row in rows)
    return with_number > len(rows) / 2


def _find_quote(text: str) -> str:
    if '"' not in text and len(_SINGLE_QUOTES.findall(text)) > 2:  # noqa: PLR2004 - not by chance
        return "'"
    return '"'


def _announced_separator(lines: Sequence[str]) -> str:
    """Return the separator of Excel's first line "sep=;"."""
    announced = re.fullmatch(r'"?sep=(.)"?\s*', lines[0]) if lines else None
    return announced[1] if announced else ""


def _one_space(line: str) -> str:
    return re.sub(r"[ \t]+", " ", line.strip(" \t\r\n"))
