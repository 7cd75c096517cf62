"""Reads numbers as people write them: with signs, thousands, currencies and units.

A column is read as numbers when all its texts are numbers with the same currency or unit.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainer.tables.cell_meanings.number_marks import Mark, Marks, prove_marks
from trainer.tables.cell_meanings.number_parts import NUMBER_FORMS, split_numbers

_INFINITE = r"(?i)^[+-]?inf(?:inity)?$"


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """What a column's distinct texts say, one entry a text.

    Attributes:
        numbers: float64, NaN for what is no number.
        mark: the decimal mark they were read with.
        unit: what all numbers share, such as "$" or " km"; empty for none.
        ambiguous: texts could be read with either mark, and nothing tells which is meant.
        contradictory: some texts prove a decimal point and others a comma.
        proves_dot: bool, which texts only a decimal point reads.
        proves_comma: bool, which texts only a decimal comma reads.
        grouped: whether there are marks between thousands.
        negated: whether some negative numbers are written in brackets, or with the sign behind.
    """

    numbers: NDArray[np.float64]
    mark: Mark
    proves_dot: NDArray[np.bool_]
    proves_comma: NDArray[np.bool_]
    unit: str
    ambiguous: bool
    contradictory: bool
    grouped: bool
    negated: bool


def read_number_texts(texts: pa.Array, counts: pa.Array, marks: Marks) -> NumberColumn:
    """Read a column's distinct texts as numbers.

    Args:
        texts: distinct and stripped, string (n,); no null.
        counts: how often each occurs, int64 (n,).
        marks: what the source's other columns tell.
    """
    parts = split_numbers(texts)
    units = _units_of(parts)
    unit = _usual_unit(units, counts)
    bodies = pc.if_else(pc.equal(units, unit), parts.field("body"), pa.scalar(None, pa.string()))
    found = prove_marks(bodies)
    mark: Mark = found.mark or marks.agreed
    if marks.stated:
        mark = marks.agreed
    contradictory = found.contradictory and not marks.stated
    ambiguous = bool(found.either.any()) and not mark and not contradictory
    mark = mark or "."
    infinite = pc.match_substring_regex(texts, _INFINITE)
    canonical = pc.if_else(infinite, texts, _canonical(parts, bodies, mark))
    numbers = pc.fill_null(pc.cast(canonical, pa.float64()), np.nan).to_numpy()
    grouped = _any(pc.match_substring_regex(bodies, f"[{_group_mark(mark)} ']"))
    negated = _any(pc.not_equal(parts.field("open"), "")) or _any(
        pc.not_equal(parts.field("back"), "")
    )
    return NumberColumn(
        numbers,
        mark,
        unit=unit.replace("|", ""),
        ambiguous=ambiguous,
        contradictory=contradictory,
        proves_dot=found.only_dot,
        proves_comma=found.only_comma,
        grouped=grouped,
        negated=negated,
    )


def _units_of(parts: pa.StructArray) -> pa.Array:
    """Return "currency|unit" of each text, null for what is no number."""
    unit = pc.utf8_trim_whitespace(parts.field("unit"))
    return pc.binary_join_element_wise(parts.field("currency"), unit, "|")


def _usual_unit(units: pa.Array, counts: pa.Array) -> str:
    table = pa.table({"unit": units, "count": counts})
    table = table.filter(pc.is_valid(table["unit"]))
    totals = table.group_by("unit").aggregate([("count", "sum")])
    if not len(totals):
        return "|"
    ordered = totals.sort_by([("count_sum", "descending"), ("unit", "ascending")])
    return str(ordered["unit"][0].as_py())


def _canonical(parts: pa.StructArray, bodies: pa.Array, mark: Mark) -> pa.Array:
    """Return texts that a parser reads as float64, null for what is no number."""
    valid = pc.match_substring_regex(bodies, NUMBER_FORMS[mark])
    digits = pc.replace_substring_regex(bodies, f"[{_group_mark(mark)} ']", "")
    digits = pc.replace_substring(digits, ",", ".")
    negative = pc.xor(
        pc.equal(parts.field("sign"), "-"),
        pc.or_(
            pc.equal(parts.field("inner"), "-"),
            pc.or_(pc.equal(parts.field("open"), "("), pc.equal(parts.field("back"), "-")),
        ),
    )
    sign = pc.if_else(negative, "-", "")
    texts = pc.binary_join_element_wise(sign, digits, parts.field("exponent"), "")
    return pc.if_else(pc.fill_null(valid, fill_value=False), texts, pa.scalar(None, pa.string()))


def _group_mark(mark: Mark) -> str:
    return "." if mark == "," else ","


def _any(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())
