"""From rows as they came to what the trees read, in as few steps as a request can bear.

The same encoding as `registry.package.encode`, which takes a table by columns; here it is rows, and mostly one.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import Column

Cells = tuple[Any, ...]
MAX_WARNINGS = 20  # named in one answer


class Encoder:
    """Encodes rows of cells: raw values in the columns' order, None is missing."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._one_hot = [_one_hot(column) for column in columns]
        self._plain = not any(column.nullable or column.kind == "categorical" for column in columns)
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
        return self._pack(*(cells if self._plain else self._encoded(cells)))

    def matrix(self, rows: Sequence[Cells]) -> NDArray[np.float32]:
        """Encode rows of which all numbers fit float32: float32 (n, sum of widths)."""
        encoded = rows if self._plain else map(self._encoded, rows)
        flat = np.fromiter(chain.from_iterable(encoded), dtype=np.float64)
        return flat.astype(np.float32).reshape(len(rows), -1)

    def warnings(self, rows: Sequence[Cells]) -> list[str]:
        """Name values that lie outside of what was seen in training, the first few."""
        found: list[str] = []
        for cells in rows:
            for i, low, high in self._ranges:
                cell = cells[i]
                if cell is not None and not low <= cell <= high:
                    found.append(f"{self.columns[i].name}={cell:g} outside {low:g}..{high:g}")
            if len(found) >= MAX_WARNINGS:
                return found[:MAX_WARNINGS]
        return found

    def _encoded(self, cells: Cells) -> list[float]:
        found: list[float] = []
        for cell, table in zip(cells, self._one_hot, strict=True):
            found += table[cell] if table else (np.nan if cell is None else cell,)
        return found


def _one_hot(column: Column) -> Mapping[str | None, tuple[float, ...]] | None:
    if column.kind != "categorical":
        return None
    found: dict[str | None, tuple[float, ...]] = {None: (0.0,) * column.width}
    for i, category in enumerate(column.categories):
        found[category] = tuple(float(i == k) for k in range(column.width))
    return found
