"""From rows as they came to what the trees read, in as few steps as a request can bear.

The same encoding as `registry.package.encode`, which takes a table by columns; here
it is rows, and mostly one.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.package import COLUMN_KINDS, Column, encode
from registry.package.columns import RawValues

Cells = tuple[Any, ...]
MAX_WARNINGS = 20  # named in one answer
MAX_FEATURES = 1 << 22  # encoded numbers of a request: 12 bytes each while they are made


class Rows(NamedTuple):
    """Encoded rows of a request.

    Attributes:
        x: float32 (n, sum of widths).
        warnings: a text for each value outside of what training has seen.
    """

    x: NDArray[np.float32]
    warnings: Sequence[str]


class Encoder:
    """Encodes rows of cells: raw values in the columns' order, None is missing.

    Attributes:
        columns: the model's.
        plain: whether all cells are numbers and flags that may not be missing: one feature each.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        kinds = [COLUMN_KINDS[column.kind] for column in columns]
        self._features = [
            kind.cell_features(column) for kind, column in zip(kinds, columns, strict=True)
        ]
        self._computed = any(kind.has_computed_features for kind in kinds)
        self.plain = all(features is None for features in self._features) and not any(
            column.takes_missing for column in columns
        )
        self._column = [column for column in columns for _ in range(column.width)]
        self._low = np.array([-np.inf if c.minimum is None else c.minimum for c in self._column])
        self._high = np.array([np.inf if c.maximum is None else c.maximum for c in self._column])
        self._pack = Struct(f"{sum(column.width for column in columns)}f").pack
        self._ranges = [
            (i, column.minimum, column.maximum)
            for i, column in enumerate(columns)
            if column.minimum is not None and column.maximum is not None
        ]

    def pack(self, cells: Cells) -> bytes:
        """Encode a row as native float32.

        Raises:
            OverflowError: when a number does not fit float32.
        """
        return self._pack(*(cells if self.plain else self._encoded(cells)))

    def rows(self, rows: Sequence[Cells]) -> Rows:
        """Encode rows of which all numbers fit float32, and all dates are such."""
        if self._computed:
            columns = zip(*rows, strict=True)
            table = {c.name: cells for c, cells in zip(self.columns, columns, strict=True)}
            return Rows(encode(self.columns, table), range_warnings(self.columns, table))
        encoded = rows if self.plain else map(self._encoded, rows)
        flat = np.fromiter(chain.from_iterable(encoded), dtype=np.float64)
        return self.table(flat.reshape(len(rows), -1))

    def table(self, encoded: NDArray[np.float64]) -> Rows:
        """Take float64 (n, sum of widths): encoded rows, all of which fit float32.

        The features of a column that has a range are its numbers.
        """
        outside = (encoded < self._low) | (
            encoded > self._high
        )  # NaN, which is missing, is neither
        warnings = [
            range_warning(self._column[i], encoded[row, i])
            for row, i in np.argwhere(outside)[:MAX_WARNINGS].tolist()
        ]
        return Rows(encoded.astype(np.float32), warnings)

    def warnings(self, cells: Cells) -> list[str]:
        """Name values of a row that lie outside of what was seen in training."""
        if self._computed:
            table = {c.name: [cell] for c, cell in zip(self.columns, cells, strict=True)}
            return range_warnings(self.columns, table)
        return [
            range_warning(self.columns[i], cells[i])
            for i, low, high in self._ranges
            if cells[i] is not None and not low <= cells[i] <= high
        ][:MAX_WARNINGS]

    def _encoded(self, cells: Cells) -> list[float]:
        found: list[float] = []
        for cell, table in zip(cells, self._features, strict=True):
            if table is not None:
                found += table[cell]
            else:
                found.append(np.nan if cell is None else cell)
        return found


def range_warnings(columns: Sequence[Column], table: Mapping[str, RawValues]) -> list[str]:
    """Name values of a table, column name -> values, outside of what was seen in training."""
    ranged = [c for c in columns if c.minimum is not None and c.maximum is not None]
    if not ranged:
        return []
    values = np.stack([COLUMN_KINDS[c.kind].range_values(table[c.name]) for c in ranged], axis=1)
    low = np.array([column.minimum for column in ranged])
    high = np.array([column.maximum for column in ranged])
    outside = (values < low) | (values > high)  # NaN, which is missing, is neither
    return [
        range_warning(ranged[i], values[row, i])
        for row, i in np.argwhere(outside)[:MAX_WARNINGS].tolist()
    ]


def range_warning(column: Column, value: float) -> str:
    """Say that a value lies outside of the column's range, which it has."""
    shown = COLUMN_KINDS[column.kind].format_bound
    low, high = (shown(column, bound or 0.0) for bound in (column.minimum, column.maximum))
    return f"{column.name}={shown(column, value)} outside {low}..{high}"
