"""Columns of categories: a text out of those seen in training, or out of the most frequent ones."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from registry.package.column_kinds.kind import (
    AnyText,
    Cell,
    CellArray,
    CellType,
    ColumnFields,
    ColumnKind,
    ColumnRecord,
    Features,
    RawValues,
    most_frequent,
)

MAX_CATEGORIES = 100  # of a column; more texts than that are one feature, "any other"
ABSENT = -1


class CategoricalKind(ColumnKind):
    """A text; one feature a category, 1 where the text is it.

    Of more than `MAX_CATEGORIES` texts, the most frequent are categories, and one more feature is 1
    where the text is any other.
    """

    name = "categorical"
    json_type = "string"
    tensor_datatype = "BYTES"
    tensor_datatypes = ("BYTES",)
    widget = "select"
    own_fields = frozenset({"categories", "other"})

    def check(self, column: ColumnRecord) -> None:
        """Check the categories.

        Raises:
            ValueError: when there are none, too many, or one of them twice.
        """
        if not 1 <= len(column.categories) <= MAX_CATEGORIES:
            raise ValueError(
                f"column {column.name}: {len(column.categories)} categories; "
                f"from 1 to {MAX_CATEGORIES} are expected"
            )
        if len(set(column.categories)) < len(column.categories):
            raise ValueError(f"column {column.name}: a category is named twice")

    def cell_type(self, column: ColumnRecord) -> CellType:
        if self.takes_any_text(column):
            category: CellType = AnyText
        else:
            category = Literal[column.categories]
        return category | None if column.takes_missing else category

    def takes_any_text(self, column: ColumnRecord) -> bool:
        return column.other or column.on_unknown == "missing"

    def read_text(self, column: ColumnRecord, text: str) -> Cell:
        if text in column.categories or column.other:
            return text
        if column.on_unknown == "missing":
            return None
        raise ValueError(_no_category(column, text))

    def refuse_missing(self, column: ColumnRecord, cell: str | None) -> str:
        if column.other:
            return super().refuse_missing(column, cell)
        return _no_category(column, cell)

    def widget_of(self, column: ColumnRecord) -> str:
        return "combo" if column.other else self.widget

    def documentation(self, column: ColumnRecord) -> str:
        if not self.takes_any_text(column):
            return self.name
        known = f"categorical; known are {', '.join(column.categories)}"
        if column.other:
            return f"{known}; any other text is taken as one category more"
        return f"{known}; any other text is a missing value"

    def describe(self, present: CellArray) -> ColumnFields:
        counts = Counter(present.tolist())
        by_frequency = sorted(counts, key=lambda text: (-counts[text], text))
        return {
            "typical": most_frequent(present.tolist()),
            "categories": tuple(sorted(by_frequency[:MAX_CATEGORIES])),
            "other": len(by_frequency) > MAX_CATEGORIES,
        }

    def feature_names(self, column: ColumnRecord) -> list[str]:
        names = [f"{column.name}={category}" for category in column.categories]
        return [*names, f"{column.name} (any other)"] if column.other else names

    def cell_features(self, column: ColumnRecord) -> Mapping[Cell, Features]:
        return _OneHot(column)

    def encode(self, column: ColumnRecord, values: RawValues) -> NDArray[np.float32]:
        positions = {category: i for i, category in enumerate(column.categories)}
        found = np.fromiter(
            map(positions.get, values, repeat(ABSENT)), dtype=np.intp, count=len(values)
        )
        if column.other:
            rest = [i for i in np.flatnonzero(found == ABSENT).tolist() if _is_text(values[i])]
            found[rest] = len(positions)
        encoded = np.zeros((len(values), len(positions) + column.other), dtype=np.float32)
        rows = np.flatnonzero(found != ABSENT)
        encoded[rows, found[rows]] = 1
        return encoded


class _OneHot(Mapping[Cell, Features]):
    """The features of each category and of None; any other text is looked up as unknown.

    All of them are windows of one tuple, a single 1 among zeros, so that a column takes memory in
    proportion to its categories, not to their square.
    """

    def __init__(self, column: ColumnRecord) -> None:
        n = len(column.categories)
        width = n + column.other
        self._band = (*[0.0] * width, 1.0, *[0.0] * width)
        self._windows: dict[Cell, slice] = {
            text: slice(width - i, 2 * width - i) for i, text in enumerate(column.categories)
        }
        self._windows[None] = slice(0, width)
        self._unknown = slice(width - n, 2 * width - n) if column.other else slice(0, width)

    def __getitem__(self, cell: Cell) -> Features:
        return self._band[self._windows.get(cell, self._unknown)]

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._windows)

    def __len__(self) -> int:
        return len(self._windows)


def _no_category(column: ColumnRecord, cell: str | None) -> str:
    shown = "null" if cell is None else repr(cell)
    return f"{shown} is no category; there are {', '.join(column.categories)}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)
