"""A column of texts by its distinct texts: stripped, without those that mean missing.

Working on distinct texts keeps a million rows of a few categories as cheap as the few.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class DistinctTexts:
    """The texts of a column.

    Attributes:
        texts: distinct and present, string (n_texts,).
        codes: int64 (n_rows,), the position in `texts`, -1 for missing.
        counts: int64 (n_texts,), how often each occurs.
        stripped: a text that had spaces around it; empty where none had.
        newly_missing: whether texts became missing that the parser had left.
    """

    texts: pa.Array
    codes: NDArray[np.int64]
    counts: NDArray[np.int64]
    stripped: str
    newly_missing: bool

    @property
    def present(self) -> int:
        """How many cells are not missing."""
        return int(self.counts.sum())

    def first_row(self, text: int) -> int:
        """Return the position of the first row that has the text at this position."""
        return int(np.argmax(self.codes == text))

    def spread(self, texts: pa.Array) -> pd.Series:
        """Return texts, one a distinct text, as a column of all rows."""
        taken = texts.take(pa.array(self.codes, mask=self.codes < 0))
        return pd.Series(taken.to_pandas(), dtype="str")

    def spread_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return numbers, one a distinct text, for all rows; NaN for missing."""
        return np.append(numbers, np.nan)[self.codes]


def distinct_texts(column: pd.Series, missing: Collection[str], *, strip: bool) -> DistinctTexts:
    """Return a column's distinct texts.

    Args:
        column: texts; other cells count as their text.
        missing: texts that mean a missing value.
        strip: whether spaces around texts are taken off.
    """
    encoded = _to_arrow(column).dictionary_encode()
    raw = encoded.dictionary.cast(pa.string())
    trimmed = raw
    if strip:
        trimmed = pc.utf8_trim_whitespace(raw)
    is_missing = pc.is_in(trimmed, value_set=pa.array(sorted(missing), pa.string()))
    present = pc.if_else(is_missing, pa.scalar(None, pa.string()), trimmed)
    again = present.dictionary_encode()
    of_raw = np.append(pc.fill_null(again.indices, -1).to_numpy().astype(np.int64), -1)
    codes = of_raw[pc.fill_null(encoded.indices, -1).to_numpy()]
    counts = np.bincount(codes[codes >= 0], minlength=len(again.dictionary))
    changed = pc.and_(pc.not_equal(raw, trimmed), pc.invert(is_missing))
    return DistinctTexts(
        again.dictionary,
        codes,
        counts.astype(np.int64),
        next(iter(raw.filter(changed).slice(0, 1).to_pylist()), ""),
        bool(pc.any(is_missing).as_py()),
    )


def cell_text(cell: object) -> str:
    """Return a cell as its text; a whole number has no decimals."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _to_arrow(column: pd.Series) -> pa.Array:
    if pd.api.types.is_object_dtype(column):
        cells = [None if pd.isna(cell) else cell_text(cell) for cell in column]
        return pa.array(cells, pa.large_string())
    array = pa.array(column, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        return array.combine_chunks()
    return array
