"""What a model takes: named columns, and how a table of them becomes the float32 matrix that the trees read.

The encoding lives in the package's manifest, so a server needs neither pandas nor scikit-learn to handle booleans,
categories and missing values exactly as the trainer did.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from registry.record import Record

Kind = Literal["numeric", "boolean", "categorical"]
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Column(Record, frozen=True, kw_only=True):
    """One input column as seen in the training part.

    Attributes:
        name: the column's name in the data and in requests.
        kind: numeric -> one feature; boolean -> one feature, 0 or 1; categorical -> one 0/1 feature a category.
        categories: the categories, sorted, of a categorical column.
        minimum: smallest value seen in training, numeric columns only.
        maximum: largest value seen in training, numeric columns only.
        nullable: whether values were missing in training; only then may a request leave it null.
        typical: the median or the most frequent value, for examples and forms.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    typical: bool | float | str | None = None

    @property
    def width(self) -> int:
        """How many encoded features the column becomes."""
        if self.kind == "categorical":
            return len(self.categories)
        return 1

    def encode(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float32]:
        """Encode raw values; None and NaN are missing.

        Returns:
            float32 (n, width). A missing number or boolean is NaN, a missing or unknown category is all zeros.

        Raises:
            ValueError: when a number does not fit float32.
        """
        if self.kind == "categorical":
            return self._one_hot(values)
        too_large = f"column {self.name}: a value is too large for float32"
        try:
            numbers = np.asarray([math.nan if v is None else v for v in values], dtype=np.float64)
        except OverflowError as error:  # an integer beyond float64
            raise ValueError(too_large) from error
        if (np.abs(numbers) > FLOAT32_MAX).any():
            raise ValueError(too_large)
        return numbers.astype(np.float32)[:, None]

    def _one_hot(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float32]:
        place = {category: i for i, category in enumerate(self.categories)}
        out = np.zeros((len(values), self.width), dtype=np.float32)
        for row, value in enumerate(values):
            if (at := place.get(value)) is not None:
                out[row, at] = 1
        return out


def encode(
    columns: Sequence[Column], table: Mapping[str, Sequence[Any] | NDArray[Any]]
) -> NDArray[np.float32]:
    """Encode a table, column name -> values, into float32 (n_rows, sum of widths).

    Raises:
        KeyError: when a column is absent from the table.
        ValueError: when a number does not fit float32.
    """
    return np.hstack([column.encode(table[column.name]) for column in columns])
