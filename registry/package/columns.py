"""A model's input columns, and the one table of what each kind of column means.

`COLUMN_KINDS` says how a kind is described, encoded, typed in requests and shown on the page. The
rest of the code looks the kind up there and never compares its name. To add a kind: write a
subclass of `ColumnKind` here, a reader of its training cells in `trainer.cells`, and, if it needs a
new one, a widget in `api/static/form.js`.

The encoding follows from the package's manifest, so a server needs neither pandas nor scikit-learn
to handle booleans, categories and missing values exactly as the trainer did.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from registry.record import Record

Kind = Literal["numeric", "boolean", "categorical"]
Cell = bool | float | str | None
CellType = Any  # an annotation that is built at run time
CellArray = NDArray[Any]  # cells of one column, in its own dtype
RawValues = Sequence[Any] | CellArray
ColumnFields = dict[str, Any]  # by the names of `Column`
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Column(Record, frozen=True, kw_only=True):
    """One input column as seen in the training part.

    Attributes:
        name: the column's name in the data and in requests.
        kind: a key of `COLUMN_KINDS`.
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
        return len(COLUMN_KINDS[self.kind].feature_names(self))

    def encode(self, values: RawValues) -> NDArray[np.float32]:
        """Encode raw values; None and NaN are missing.

        Returns:
            float32 (n, width). A missing number or boolean is NaN; a missing or unknown category is
            all zeros.

        Raises:
            ValueError: when a number does not fit float32.
        """
        return COLUMN_KINDS[self.kind].encode(self, values)


class PydanticRules:
    """Constraints for pydantic in an `Annotated`, next to `msgspec.Meta`; imports no pydantic."""

    def __init__(self, **rules: bool | float) -> None:
        self.rules = rules

    def __get_pydantic_core_schema__(
        self, source: CellType, handler: Callable[[CellType], dict[str, object]]
    ) -> dict[str, object]:
        """Add the rules to the type's schema; pydantic calls this."""
        return {**handler(source), **self.rules}


Number = Annotated[
    float,
    Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX),
    PydanticRules(strict=True, allow_inf_nan=False, ge=-FLOAT32_MAX, le=FLOAT32_MAX),
]
Flag = Annotated[bool, PydanticRules(strict=True)]


class ColumnKind(ABC):
    """What one kind of column means, from the training table to a request.

    Attributes:
        name: as the manifest and the data set spec write it.
        json_type: the JSON type of a cell that is not null.
        tensor_datatype: the Open Inference Protocol's datatype, as the metadata names it.
        tensor_datatypes: all datatypes that a request may use.
        widget: the name of the page's input control.
        has_range: whether cells are ordered, so that `minimum` and `maximum` mean something.
        present_type: the type of a cell that is not missing, unless it depends on the column.
    """

    name: ClassVar[Kind]
    json_type: ClassVar[Literal["number", "boolean", "string"]]
    tensor_datatype: ClassVar[str]
    tensor_datatypes: ClassVar[tuple[str, ...]]
    widget: ClassVar[str]
    has_range: ClassVar[bool] = False
    present_type: ClassVar[CellType]

    def cell_type(self, column: Column) -> CellType:
        """Return the type of a cell with its constraints, as msgspec and pydantic read them."""
        if column.nullable:
            return self.present_type | None
        return self.present_type

    def is_missing(self, values: CellArray) -> NDArray[np.bool_]:
        """Return bool (n,) for the raw values of the training table."""
        return np.array([value is None for value in values], dtype=bool)

    @abstractmethod
    def describe(self, present: CellArray) -> ColumnFields:
        """Return fields of `Column` from training values; there is at least one."""

    def feature_names(self, column: Column) -> list[str]:
        """Return the names of the encoded features, in order."""
        return [column.name]

    def cell_features(self, column: Column) -> Mapping[Cell, tuple[float, ...]] | None:
        """Return the encoded features of each possible cell; None if the cell is its feature."""
        del column
        return None

    def encode(self, column: Column, values: RawValues) -> NDArray[np.float32]:
        """Encode raw values; see `Column.encode`."""
        too_large = f"column {column.name}: a value is too large for float32"
        try:
            numbers = np.asarray([math.nan if v is None else v for v in values], dtype=np.float64)
        except OverflowError as error:  # an integer beyond float64
            raise ValueError(too_large) from error
        if (np.abs(numbers) > FLOAT32_MAX).any():
            raise ValueError(too_large)
        return numbers.astype(np.float32)[:, None]


class _NumericKind(ColumnKind):
    """A number; one feature."""

    name = "numeric"
    json_type = "number"
    tensor_datatype = "FP64"
    tensor_datatypes = (
        *("FP16", "FP32", "FP64"),
        *("INT16", "INT32", "INT64", "INT8"),
        *("UINT16", "UINT32", "UINT64", "UINT8"),
    )
    widget = "number"
    has_range = True
    present_type = Number

    def is_missing(self, values: CellArray) -> NDArray[np.bool_]:
        missing: NDArray[np.bool_] = np.isnan(values)
        return missing

    def describe(self, present: CellArray) -> ColumnFields:
        low, median, high = np.quantile(present, [0, 0.5, 1], method="nearest").tolist()
        return {"minimum": low, "maximum": high, "typical": median}


class _BooleanKind(ColumnKind):
    """True or false; one feature, 1 or 0."""

    name = "boolean"
    json_type = "boolean"
    tensor_datatype = "BOOL"
    tensor_datatypes = ("BOOL",)
    widget = "switch"
    present_type = Flag

    def describe(self, present: CellArray) -> ColumnFields:
        return {"typical": _most_frequent(present.tolist())}


class _CategoricalKind(ColumnKind):
    """A text out of those seen in training; one feature a category, 1 where the text is it."""

    name = "categorical"
    json_type = "string"
    tensor_datatype = "BYTES"
    tensor_datatypes = ("BYTES",)
    widget = "select"

    def cell_type(self, column: Column) -> CellType:
        category: CellType = Literal[column.categories]
        return category | None if column.nullable else category

    def describe(self, present: CellArray) -> ColumnFields:
        texts = present.tolist()
        return {"typical": _most_frequent(texts), "categories": tuple(sorted(set(texts)))}

    def feature_names(self, column: Column) -> list[str]:
        return [f"{column.name}={category}" for category in column.categories]

    def cell_features(self, column: Column) -> Mapping[Cell, tuple[float, ...]]:
        one_hot = np.eye(len(column.categories)).tolist()
        found: dict[Cell, tuple[float, ...]] = {None: (0.0,) * len(column.categories)}
        return found | dict(zip(column.categories, map(tuple, one_hot), strict=True))

    def encode(self, column: Column, values: RawValues) -> NDArray[np.float32]:
        positions = {category: i for i, category in enumerate(column.categories)}
        encoded = np.zeros((len(values), len(column.categories)), dtype=np.float32)
        for row, value in enumerate(values):
            position = positions.get(value)
            if position is not None:
                encoded[row, position] = 1
        return encoded


COLUMN_KINDS: Mapping[str, ColumnKind] = {
    kind.name: kind for kind in (_NumericKind(), _BooleanKind(), _CategoricalKind())
}


def encode(columns: Sequence[Column], table: Mapping[str, RawValues]) -> NDArray[np.float32]:
    """Encode a table, column name -> values, into float32 (n_rows, sum of widths).

    Raises:
        KeyError: when a column is absent from the table.
        ValueError: when a number does not fit float32.
    """
    return np.hstack([column.encode(table[column.name]) for column in columns])


def _most_frequent(values: list[Any]) -> Cell:
    most_frequent: Cell = max(sorted(set(values)), key=values.count)
    return most_frequent
