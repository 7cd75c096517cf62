"""Decides what the texts of a column are: numbers, dates, or texts.

Where all are numbers, or dates, they are read as such. Where most are, the others are a mistake or
a marker for missing values, and the user says which; nothing is guessed.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.findings import Finding
from trainer.spec import DataSetSpec
from trainer.tables.cell_meanings.cell_texts import DistinctTexts
from trainer.tables.cell_meanings.date_texts import looks_like_dates, read_date_texts
from trainer.tables.cell_meanings.number_marks import Marks
from trainer.tables.cell_meanings.number_texts import NumberColumn, read_number_texts
from trainer.tables.paste_lines import date_format_line, drop_line, missing_line, type_line
from trainer.tables.result import RowPlaces

NUMBER_SHARE = (
    0.5  # from this share of numbers on, a column of texts is a column of numbers with faults
)
_LISTED_MARKERS = 5  # more different texts than these are no marker for missing values


@dataclass(frozen=True, slots=True, eq=False)
class ReadColumn:
    """A column after the decision.

    Attributes:
        cells: its new cells.
        decisions: what was decided, without the column's name, such as "thousands marks taken off".
        finding: what the user has to decide, if anything.
    """

    cells: pd.Series
    decisions: tuple[str, ...] = ()
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class TextColumn:
    """One column of texts, and what its decision depends on."""

    name: str
    texts: DistinctTexts
    spec: DataSetSpec
    places: RowPlaces
    kinds: frozenset[str] = field(default=frozenset({"numeric", "datetime", "categorical"}))

    @property
    def stated_format(self) -> str:
        """How the spec says the column's dates are written."""
        stated = self.spec.columns.get(self.name)
        return stated.date_format if stated else ""


def decide_texts(column: TextColumn, marks: Marks) -> ReadColumn:
    """Read a column of texts as numbers, dates or texts.

    Args:
        column: the column.
        marks: how the source's other columns write numbers.
    """
    if "numeric" in column.kinds and not column.stated_format:
        numbers = read_number_texts(column.texts.texts, column.texts.counts, marks)
        found = _decide_numbers(column, numbers)
        if found:
            return found
    if "datetime" in column.kinds:
        found = _decide_dates(column)
        if found:
            return found
    return ReadColumn(column.texts.spread(column.texts.texts))


def _decide_numbers(column: TextColumn, numbers: NumberColumn) -> ReadColumn | None:
    """Return the column as numbers, or what keeps it from being one; None where it is of texts."""
    is_number = ~np.isnan(numbers.numbers)
    share = _share(column.texts, is_number)
    must = column.kinds == {"numeric"}
    if share < NUMBER_SHARE and not must:
        return None
    if numbers.contradictory:
        return _refuse(column, _contradiction(column, numbers), _DECIMAL_LINES)
    if numbers.ambiguous:
        return _refuse(column, _ambiguity(column, is_number), _MARK_LINES)
    if share < 1:
        return _refuse_others(column, is_number, "numbers")
    cells = pd.Series(column.texts.spread_numbers(numbers.numbers))
    return ReadColumn(cells, tuple(_number_decisions(numbers)))


_DECIMAL_LINES = ('read.decimal = ","', 'read.decimal = "."')
_MARK_LINES = ('read.decimal = ","', 'read.thousands = ","')


def _number_decisions(numbers: NumberColumn) -> list[str]:
    decisions = []
    if numbers.unit:
        decisions.append(f"{numbers.unit!r} is taken off, the numbers stay")
    if numbers.grouped:
        decisions.append("marks between thousands are taken off")
    if numbers.mark == ",":
        decisions.append("read with a decimal comma")
    if numbers.negated:
        decisions.append("(1) and 1- are read as -1")
    return decisions


def _decide_dates(column: TextColumn) -> ReadColumn | None:
    texts = column.texts.texts
    must = column.kinds == {"datetime"}
    if not must and not looks_like_dates(texts):
        return None
    dates = read_date_texts(texts, column.stated_format)
    share = _share(column.texts, dates.is_date)
    if share < NUMBER_SHARE and not must:
        return None
    if dates.other:
        problem = (
            f"{_quote_first(column, dates.is_date)}, and no cell tells whether the day or the "
            "month comes first"
        )
        formats = tuple(date_format_line(column.name, form) for form in (dates.format, dates.other))
        return _refuse(column, problem, formats)
    if share < 1:
        return _refuse_others(column, dates.is_date, "dates")
    decisions: tuple[str, ...] = ()
    if dates.format:
        decisions = (f"dates are read as {dates.format}",)
    return ReadColumn(column.texts.spread(dates.texts), decisions)


def _share(texts: DistinctTexts, mask: NDArray[np.bool_]) -> float:
    """Return the share of present cells whose text the mask holds."""
    return float(texts.counts[mask].sum()) / max(1, texts.present)


def _refuse_others(column: TextColumn, fitting: NDArray[np.bool_], what: str) -> ReadColumn:
    texts = column.texts
    others = np.flatnonzero(~fitting)
    count = int(texts.counts[fitting].sum())
    rest = texts.present - count - 1
    more = f" (and {rest} more)" if rest else ""
    problem = f"{count} of {texts.present} cells are {what}; {_quote_first(column, ~fitting)}{more}"
    fixes = []
    if len(others) <= _LISTED_MARKERS and count >= NUMBER_SHARE * texts.present:
        markers = [texts.texts[int(position)].as_py() for position in others]
        stated = column.spec.columns.get(column.name)
        known = stated.missing if stated else ()
        fixes.append(missing_line(column.name, [*known, *markers]))
    if column.name == column.spec.target:
        fixes.append('task = "classification"')
    else:
        fixes += [type_line(column.name, "categorical"), drop_line(column.spec.drop, column.name)]
    return _refuse(column, problem, tuple(fixes))


def _contradiction(column: TextColumn, numbers: NumberColumn) -> str:
    """Return where the first text that only a decimal point reads is, and the same of a comma."""
    point = _quote_first(column, numbers.proves_dot)
    comma = _quote_first(column, numbers.proves_comma)
    return f"{point} with a decimal point, and {comma} with a decimal comma"


def _ambiguity(column: TextColumn, is_number: NDArray[np.bool_]) -> str:
    return (
        f"{_quote_first(column, is_number)}, and no cell tells whether its comma is "
        "a decimal mark or stands between thousands"
    )


def _quote_first(column: TextColumn, mask: NDArray[np.bool_]) -> str:
    """Return where the first of these texts is, and what it says."""
    wanted = np.append(mask, False)
    row = int(np.argmax(wanted[column.texts.codes]))
    text = column.texts.texts[int(column.texts.codes[row])].as_py()
    return f"{column.places.place_of(row)} says {text!r}"


def _refuse(column: TextColumn, problem: str, fixes: tuple[str, ...]) -> ReadColumn:
    finding = Finding(column.name, problem, "refused", fixes)
    return ReadColumn(column.texts.spread(column.texts.texts), finding=finding)
