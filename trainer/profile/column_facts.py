"""What can be counted in a column; every rule of the profile reads these facts.

A fact is counted when it is first needed. Numbers of many different values are counted in a sample
of the rows only, at equal distances, where no rule needs more.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.cells import infer_kind

MOSTLY = 0.9  # share of texts that makes a column one of numbers or dates
SAMPLED_TEXTS = 500
SAMPLED_ROWS = 20_000
SKETCHED_ROWS = 1_000
MANY_VALUES = 1_000  # in the sample
DATE_LIKE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?:[T ]\d{1,2}:\d{2}.*)?"
)
# Looser than the reader: what it could not read as a number may have been meant as one.
NUMBER_LIKE = re.compile(
    r"[$€£¥]?\s*[-+]?[.,]?\d[\d.,'\s]*(?:[eE][-+]?\d+)?\s*(?:[%$€£¥]|[^\W\d_]{1,4})?"
)


@dataclass(frozen=True, eq=False)
class ColumnFacts:
    """A column to count in.

    Attributes:
        name: the column's name.
        kind: what it would be learned as.
        cells: the column as it was read.
    """

    name: str
    kind: str
    cells: pd.Series

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return len(self.cells)

    @cached_property
    def present(self) -> int:
        """How many cells are not missing."""
        return int(self.cells.count())

    @property
    def missing(self) -> int:
        """How many cells are missing."""
        return self.rows - self.present

    @property
    def is_boolean(self) -> bool:
        """Whether the cells are true or false."""
        return self.kind == "boolean"

    @property
    def is_numeric(self) -> bool:
        """Whether the cells are numbers, and not true or false."""
        return pd.api.types.is_numeric_dtype(self.cells) and not self.is_boolean

    @cached_property
    def sample(self) -> pd.Series:
        """Cells of at most 20,000 rows, at equal distances."""
        return self.cells.iloc[:: max(1, -(-self.rows // SAMPLED_ROWS))]

    @cached_property
    def is_sampled(self) -> bool:
        """Whether `distinct` is what a sample has: at least so many."""
        return (
            self.is_numeric
            and self.rows > SAMPLED_ROWS
            and self.sample.nunique() > MANY_VALUES
            and not self._may_be_unique
        )

    @cached_property
    def distinct(self) -> int:
        """How many different values there are, missing ones left out."""
        if self.is_sampled:
            return int(self.sample.nunique())
        return len(self.levels)

    @cached_property
    def _may_be_unique(self) -> bool:
        return not self.missing and self.sample.is_unique and self.is_whole

    @cached_property
    def _factorized(self) -> tuple[NDArray[np.int64], pd.Index]:
        try:
            codes, levels = pd.factorize(self.cells)
        except TypeError:  # lists or dicts in the cells, as JSON lines may have them
            codes, levels = pd.factorize(self.cells.map(str, na_action="ignore"))
        return codes.astype(np.int64, copy=False), pd.Index(levels)

    @property
    def codes(self) -> NDArray[np.int64]:
        """int64 (n_rows,), the place of the cell's value in `levels`; -1 where it is missing."""
        return self._factorized[0]

    @property
    def levels(self) -> pd.Index:
        """The different values, in the order of their first row."""
        return self._factorized[1]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """int64 (distinct,), how many rows each of the levels has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))

    @cached_property
    def most_frequent(self) -> int:
        """How many rows the most frequent value has; in proportion, where it is sampled."""
        if self.is_sampled:
            counts = self.sample.value_counts()
            return round(int(counts.iloc[0]) * self.rows / len(self.sample))
        return int(self.counts.max(initial=0))

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """float64 (n_rows,), NaN where missing; of a numeric column only."""
        return self.cells.to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all cells are whole numbers."""
        if not self.is_numeric or not self.present:
            return False
        if pd.api.types.is_integer_dtype(self.cells):
            return True
        numbers = self.numbers[~np.isnan(self.numbers)]
        return bool(np.isfinite(numbers).all()) and np.array_equal(numbers, np.floor(numbers))

    @cached_property
    def looks_like_numbers(self) -> bool:
        """Whether the texts are mostly numbers, with or without a unit, that were not read so."""
        return self._mostly_match(NUMBER_LIKE)

    @cached_property
    def looks_like_dates(self) -> bool:
        """Whether the texts are mostly dates."""
        return self._mostly_match(DATE_LIKE)

    def _mostly_match(self, pattern: re.Pattern[str]) -> bool:
        if self.is_numeric or self.is_boolean or not self.distinct:
            return False
        texts = [str(level).strip() for level in self.levels[:SAMPLED_TEXTS]]
        found = sum(pattern.fullmatch(text) is not None for text in texts)
        return found >= MOSTLY * len(texts)

    @cached_property
    def row_keys(self) -> NDArray[np.uint64]:
        """uint64 (n_rows,), equal in two rows with equal cells."""
        return self._keys_of(slice(None))

    def _keys_of(self, rows: slice) -> NDArray[np.uint64]:
        if self.is_numeric:
            return (self.numbers[rows] + 0.0).view(np.uint64)  # -0.0 becomes 0.0
        return self.codes[rows].view(np.uint64)

    @property
    def sketch(self) -> bytes:
        """Equal for two columns whose cells agree in 1,000 rows at equal distances, or in all."""
        step = max(1, self.rows // SKETCHED_ROWS)
        return self._keys_of(slice(None, None, step)).tobytes()

    @cached_property
    def digest(self) -> bytes:
        """Equal for two columns of equal content, of the same type."""
        return hashlib.blake2b(self.row_keys.tobytes(), digest_size=16).digest()


def count_column(column: pd.Series, kind: str = "") -> ColumnFacts:
    """Return what can be counted in a column; `kind` is what the spec states, if it does."""
    name = str(column.name)
    if kind:
        return ColumnFacts(name, kind, column)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return ColumnFacts(name, "numeric", column)
    facts = ColumnFacts(name, "categorical", column)
    found = infer_kind(pd.Series(facts.levels, name=name))  # they may be few
    if found == "categorical" and facts.looks_like_dates:
        return ColumnFacts(name, "datetime", column)
    return ColumnFacts(name, found, column)
