"""Texts and numbers that probably mean "no value", though the table does not say so."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trainer.profile.column_facts import MOSTLY, ColumnFacts

UNKNOWN = "?"  # no category anywhere; "-" is next to "+"
# Nor are a database's null and what Excel writes where it cannot compute, in English and German.
NEVER_A_CATEGORY = frozenset(
    {
        *(UNKNOWN, r"\N", "#N/A", "#NV", "#VALUE!", "#WERT!", "#REF!", "#BEZUG!", "#DIV/0!"),
        *("#NAME?", "#NUM!", "#ZAHL!", "#NULL!"),
    }
)
MARKS = frozenset(
    {UNKNOWN, "-", "--", "---", ".", "..", "*", "#", "_", "\N{EN DASH}", "\N{EM DASH}"}
)
WORDS = frozenset(
    {
        *("unknown", "missing", "not available", "not known", "n.a.", "na?", "n/a?", "nil", "none"),
        *("nodata", "no data", "tbd", "unspecified", "k.a.", "keine angabe"),
    }
)
CODES = frozenset(sign * (10.0**digits - 1) for digits in range(2, 8) for sign in (1, -1))
LEAST_CODES = 2
LEAST_NUMBERS = 0.5  # share of the cells, where all others are marks or words


@dataclass(frozen=True, slots=True)
class MissingMarker:
    """A text or number in a column that probably means "no value".

    Attributes:
        column: the column's name.
        text: as the cells have it.
        cells: how many have it.
        certain: whether it can mean nothing else: what is no category anywhere, or a mark or word
            among numbers.
        everywhere: whether it means so in every column.
    """

    column: str
    text: str
    cells: int
    certain: bool
    everywhere: bool = False


def find_markers(column: ColumnFacts) -> list[MissingMarker]:
    """Return a column's probable missing markers."""
    if column.is_numeric:
        return _number_markers(column)
    if column.kind == "boolean":
        return []
    found = []
    numbers = _mostly_numbers(column)
    for level, cells in zip(column.levels, column.counts, strict=True):
        text = str(level).strip()
        everywhere = text in NEVER_A_CATEGORY
        if everywhere or (numbers and _is_marker(text)):
            marker = MissingMarker(
                column.name, text, int(cells), certain=True, everywhere=everywhere
            )
            found.append(marker)
    return found


def _is_marker(text: str) -> bool:
    return text in MARKS or text in NEVER_A_CATEGORY or text.lower() in WORDS


def _mostly_numbers(column: ColumnFacts) -> bool:
    parsed = pd.to_numeric(pd.Series(column.levels), errors="coerce").notna().to_numpy()
    others = [str(level).strip() for level in column.levels[~parsed]]
    least = LEAST_NUMBERS if all(map(_is_marker, others)) else MOSTLY
    return bool(column.counts[parsed].sum() >= least * column.present > 0)


def _number_markers(column: ColumnFacts) -> list[MissingMarker]:
    """Return numbers of nines, at least two cells of them, that lie far from all others."""
    numbers = column.numbers[~np.isnan(column.numbers)]
    ends = {float(end) for end in (numbers.min(initial=0), numbers.max(initial=0))}
    suspected = ends & CODES  # only at an end can a number be far from all others
    others = numbers[~np.isin(numbers, list(suspected))]
    if not suspected or not len(others):
        return []
    found = []
    for code in sorted(suspected):
        cells = int((numbers == code).sum())
        if cells >= LEAST_CODES and np.abs(others - code).min() > np.ptp(others) > 0:
            found.append(MissingMarker(column.name, str(int(code)), cells, certain=False))
    return found
