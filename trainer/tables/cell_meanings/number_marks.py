"""Decides which mark is the decimal one: is "1,234" a thousand and more, or one and a bit?

Rule: a text that can be read in one way only decides for its column ("1,5", "1.234,50",
"1,234,567"). A column of texts that can be read in both ways follows the other columns of its
file, where those agree. Where none decides, the user does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trainer.spec import ReadSpec
from trainer.tables.cell_meanings.number_parts import NUMBER_FORMS, number_bodies

Mark = Literal[".", ",", ""]
_MOSTLY = 0.5
_PROVING_TEXTS = 10_000  # enough to tell a column's habit


@dataclass(frozen=True, slots=True)
class Marks:
    """How a source writes numbers.

    Attributes:
        dots: how many columns can only be read with a decimal point.
        commas: how many can only be read with a decimal comma.
        decimal: what the spec states; empty where it leaves it open.
        thousands: what the spec states.
    """

    dots: int = 0
    commas: int = 0
    decimal: str = ""
    thousands: str = ""

    @property
    def stated(self) -> bool:
        """Whether the spec tells the decimal mark, so that no column decides it."""
        return bool(self.decimal) or self.thousands in {",", "."}

    @property
    def agreed(self) -> Mark:
        """The decimal mark of all columns that decide; empty where they differ, or none does."""
        if self.decimal:
            return "," if self.decimal == "," else "."
        if self.thousands in {",", "."}:
            return "." if self.thousands == "," else ","
        if self.commas and not self.dots:
            return ","
        if self.dots and not self.commas:
            return "."
        return ""

    @property
    def pandas_decimal(self) -> str:
        """The mark by which pandas may read numbers on its own."""
        return "," if self.agreed == "," else "."

    def counting(self, mark: Mark) -> "Marks":
        """Return the marks with one more column that decides."""
        if mark == ",":
            return replace(self, commas=self.commas + 1)
        if mark == ".":
            return replace(self, dots=self.dots + 1)
        return self


UNKNOWN_MARKS = Marks()


@dataclass(frozen=True, slots=True, eq=False)
class MarkProofs:
    """Which distinct texts of a column can be read with which decimal mark, bool (n_texts,) each.

    Attributes:
        only_dot: with a decimal point and not with a comma.
        only_comma: with a decimal comma and not with a point.
        either: with both, and the value differs, because of a comma: "1,234". A lone point before
            three digits is a decimal one, unless other columns prove a decimal comma.
    """

    only_dot: NDArray[np.bool_]
    only_comma: NDArray[np.bool_]
    either: NDArray[np.bool_]

    @property
    def mark(self) -> Mark:
        """The mark that the column's own texts prove; empty where they prove none, or both."""
        if self.contradictory:
            return ""
        if self.only_comma.any():
            return ","
        if self.only_dot.any():
            return "."
        return ""

    @property
    def contradictory(self) -> bool:
        """Whether some texts prove a point and others a comma."""
        return bool(self.only_comma.any() and self.only_dot.any())


def prove_marks(bodies: pa.Array) -> MarkProofs:
    """Return what distinct texts prove.

    Args:
        bodies: numbers without sign and unit, null for what is none.
    """
    dot = _matches(bodies, NUMBER_FORMS["."])
    comma = _matches(bodies, NUMBER_FORMS[","])
    return MarkProofs(dot & ~comma, comma & ~dot, dot & comma & _matches(bodies, ","))


def sample_marks(columns: Iterable[Sequence[str]], read: ReadSpec) -> Marks:
    """Return what the first cells of a file's columns tell, numbers with units among them."""
    marks = Marks(decimal=read.decimal, thousands=read.thousands)
    for cells in columns:
        present = [cell.strip() for cell in cells if cell.strip()]
        marks = marks.counting(column_mark(pa.array(present, pa.string())))
    return marks


def column_mark(texts: pa.Array) -> Mark:
    """Return the decimal mark that a column's distinct texts prove; empty where they prove none."""
    first = texts.slice(0, _PROVING_TEXTS)
    bodies = number_bodies(first)
    if not len(first) or bodies.null_count > _MOSTLY * len(first):
        return ""
    return prove_marks(bodies).mark


def _matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    matching = pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=False)
    mask: NDArray[np.bool_] = matching.to_numpy(zero_copy_only=False)
    return mask
