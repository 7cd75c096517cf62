"""A model's input columns, and the one table of what each kind of column means.

`COLUMN_KINDS` says how a kind is described, encoded, typed in requests and shown on the page. The
rest of the code looks the kind up there and never compares its name. To add a kind: write a
subclass of `ColumnKind` in `column_kinds`, a reader of its training cells in `trainer.cells`, and,
if it needs a new one, a widget in `api/static/form.js`.

The encoding follows from the package's manifest, so a server needs neither pandas nor scikit-learn
to handle categories, dates, texts and missing values exactly as the trainer did.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.package.column_kinds.categories import MAX_CATEGORIES, CategoricalKind
from registry.package.column_kinds.dates import NOT_ISO, DatetimeKind, parse_instant
from registry.package.column_kinds.kind import (
    FLOAT32_MAX,
    Cell,
    CellArray,
    CellType,
    ColumnKind,
    ColumnRecord,
    Kind,
    OnUnknown,
    RawValues,
)
from registry.package.column_kinds.numbers import BooleanKind, Number, NumericKind
from registry.package.column_kinds.texts import TextKind

__all__ = [
    "COLUMN_KINDS",
    "FLOAT32_MAX",
    "MAX_CATEGORIES",
    "NOT_ISO",
    "Cell",
    "CellArray",
    "CellType",
    "Column",
    "ColumnKind",
    "Kind",
    "Number",
    "OnUnknown",
    "RawValues",
    "encode",
    "parse_instant",
]

COLUMN_KINDS: Mapping[str, ColumnKind] = {
    kind.name: kind
    for kind in (NumericKind(), BooleanKind(), CategoricalKind(), DatetimeKind(), TextKind())
}
# Fields that belong to one kind, with the values that say nothing.
OWN_FIELDS: Mapping[str, object] = {"categories": (), "other": False, "parts": (), "buckets": 0}


class Column(ColumnRecord, frozen=True, kw_only=True):
    """One input column as seen in the training part; see `ColumnRecord` for its fields."""

    def __post_init__(self) -> None:
        """Check that the fields fit the kind, and are within what a server can bear.

        Raises:
            ValueError: when they do not.
        """
        kind = COLUMN_KINDS[self.kind]
        for field, nothing in OWN_FIELDS.items():
            if field not in kind.own_fields and getattr(self, field) != nothing:
                raise ValueError(f"column {self.name}: {field} is not for a {self.kind} column")
        kind.check(self)

    @property
    def width(self) -> int:
        """How many encoded features the column becomes."""
        return len(COLUMN_KINDS[self.kind].feature_names(self))

    def encode(self, values: RawValues) -> NDArray[np.float32]:
        """Encode raw values; None and NaN are missing.

        Returns:
            float32 (n, width). A missing number, boolean or datetime is NaN; a missing or unknown
            category, and a missing text, are all zeros.

        Raises:
            ValueError: when a number does not fit float32, or a text is no date.
        """
        return COLUMN_KINDS[self.kind].encode(self, values)


def encode(columns: Sequence[Column], table: Mapping[str, RawValues]) -> NDArray[np.float32]:
    """Encode a table, column name -> values, into float32 (n_rows, sum of widths).

    Raises:
        KeyError: when a column is absent from the table.
        ValueError: when a number does not fit float32, or a text is no date.
    """
    return np.hstack([column.encode(table[column.name]) for column in columns])
