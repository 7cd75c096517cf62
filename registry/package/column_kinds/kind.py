"""What a kind of column has to say, and the record that it says it of.

`ColumnKind` is the interface; the modules next to this one implement it. The record is the data of
a column alone; `registry.package.columns.Column` is the same record that also knows its kind.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from registry.record import Record

Kind = Literal["numeric", "boolean", "categorical", "datetime", "text"]
OnUnknown = Literal["refuse", "missing"]
Cell = bool | float | str | None
CellType = Any  # an annotation that is built at run time
CellArray = NDArray[Any]  # cells of one column, in its own dtype
RawValues = Sequence[Any] | CellArray
ColumnFields = dict[str, Any]  # by the names of `ColumnRecord`
Features = Sequence[float]  # what one cell is encoded as
FLOAT32_MAX = float(np.finfo(np.float32).max)
V = TypeVar("V", bool, str)


class ColumnRecord(Record, frozen=True, kw_only=True):
    """One input column as seen in the training part.

    Attributes:
        name: the column's name in the data and in requests.
        kind: a key of `COLUMN_KINDS`.
        categories: the categories, sorted, of a categorical column.
        minimum: smallest value seen in training: a number, or a datetime as seconds since
            1970-01-01 UTC.
        maximum: largest value seen in training, in the same unit.
        nullable: whether values were missing in training; only then may a request leave it null.
        typical: a number or a date in the middle, the most frequent value, or an example text, for
            examples and forms; None where most values are missing.
        on_unknown: whether a request's unknown category, or a null where training had no gap, is
            refused or treated as missing.
        other: whether `categories` are only the most frequent ones, so that any other text is
            taken too; it becomes a feature of its own.
        parts: what a datetime column is encoded as, in order; see `column_kinds.dates`.
        buckets: how many features the words of a text column are hashed into.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    typical: bool | float | str | None = None
    on_unknown: OnUnknown = "refuse"
    other: bool = False
    parts: tuple[str, ...] = ()
    buckets: int = 0

    @property
    def takes_missing(self) -> bool:
        """Whether a request may leave the column null."""
        return self.nullable or self.on_unknown == "missing"


class PydanticRules:
    """Constraints for pydantic in an `Annotated`, next to `msgspec.Meta`; imports no pydantic."""

    def __init__(self, **rules: bool | float) -> None:
        self.rules = rules

    def __get_pydantic_core_schema__(
        self, source: CellType, handler: Callable[[CellType], dict[str, object]]
    ) -> dict[str, object]:
        """Add the rules to the type's schema; pydantic calls this."""
        return {**handler(source), **self.rules}


AnyText = Annotated[str, PydanticRules(strict=True)]


class ColumnKind(ABC):
    """What one kind of column means, from the training table to a request.

    Attributes:
        name: as the manifest and the data set spec write it.
        json_type: the JSON type of a cell that is not null.
        tensor_datatype: the Open Inference Protocol's datatype, as the metadata names it.
        tensor_datatypes: all datatypes that a request may use.
        widget: the name of the page's input control.
        has_range: whether cells are ordered, so that `minimum` and `maximum` mean something.
        has_computed_features: whether `cell_features` encodes a cell when it is looked up.
        own_fields: the fields of `ColumnRecord` that other kinds leave at their defaults.
        present_type: the type of a cell that is not missing, unless it depends on the column.
    """

    name: ClassVar[Kind]
    json_type: ClassVar[Literal["number", "boolean", "string"]]
    tensor_datatype: ClassVar[str]
    tensor_datatypes: ClassVar[tuple[str, ...]]
    widget: ClassVar[str]
    has_range: ClassVar[bool] = False
    has_computed_features: ClassVar[bool] = False
    own_fields: ClassVar[frozenset[str]] = frozenset()
    present_type: ClassVar[CellType]

    def check(self, column: ColumnRecord) -> None:
        """Check the kind's own fields.

        Raises:
            ValueError: when they do not make sense, or are too many for a server.
        """
        del column

    def cell_type(self, column: ColumnRecord) -> CellType:
        """Return the type of a cell with its constraints, as msgspec and pydantic read them."""
        if column.takes_missing:
            return self.present_type | None
        return self.present_type

    def takes_any_text(self, column: ColumnRecord) -> bool:
        """Whether a cell may be a text that `cell_type` does not list; see `read_text`."""
        del column
        return False

    def read_text(self, column: ColumnRecord, text: str) -> Cell:
        """Return what a request's text means, or the text itself where `cell_type` decides.

        Raises:
            ValueError: when the column cannot hold it; the message says what is expected.
        """
        del column
        return text

    def refuse_missing(self, column: ColumnRecord, cell: str | None) -> str:
        """Return why a text that means a missing value, or null, is refused."""
        del column
        shown = "null" if cell is None else repr(cell)
        return f"{shown} is a missing value; training had none in this column"

    def widget_of(self, column: ColumnRecord) -> str:
        """Return the name of the page's input control for a column."""
        del column
        return self.widget

    def is_missing(self, values: CellArray) -> NDArray[np.bool_]:
        """Return bool (n,) for the raw values of the training table."""
        return np.fromiter((value is None for value in values), dtype=bool, count=len(values))

    @abstractmethod
    def describe(self, present: CellArray) -> ColumnFields:
        """Return fields of `ColumnRecord` from training values; there is at least one."""

    def json_cell(self, column: ColumnRecord, value: Any) -> Cell:  # noqa: ANN401 - a raw value
        """Return a raw value of the training table as a request holds it."""
        del column
        plain: Cell = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, float) and math.isnan(plain):
            return None
        return plain

    def feature_names(self, column: ColumnRecord) -> list[str]:
        """Return the names of the encoded features, in order."""
        return [column.name]

    def cell_features(self, column: ColumnRecord) -> Mapping[Cell, Features] | None:
        """Return the encoded features by cell; None if the cell is its feature."""
        del column
        return None

    def encode(self, column: ColumnRecord, values: RawValues) -> NDArray[np.float32]:
        """Encode raw values; see `Column.encode`."""
        too_large = f"column {column.name}: a value is too large for float32"
        try:
            numbers = _read_numbers(values)
        except OverflowError as error:  # an integer beyond float64
            raise ValueError(too_large) from error
        largest = np.fmax.reduce(np.abs(numbers), initial=0.0)
        if largest > FLOAT32_MAX:
            raise ValueError(too_large)
        return numbers.astype(np.float32)[:, None]

    def range_values(self, values: RawValues) -> NDArray[np.float64]:
        """Return raw values in the unit of `minimum` and `maximum`, NaN where missing."""
        return _read_numbers(values)

    def format_bound(self, column: ColumnRecord, value: float, *, digits: int = 6) -> str:
        """Return a value in the unit of `minimum` and `maximum` for people."""
        del column
        return f"{value:.{digits}g}"

    def json_bound(self, column: ColumnRecord, value: float) -> float | str:
        """Return a value in the unit of `minimum` and `maximum` as a request would hold it."""
        del column
        return value

    def documentation(self, column: ColumnRecord) -> str:
        """Return what a request may hold, besides the type."""
        del column
        return self.name


class ComputedFeatures(Mapping[Cell, Features]):
    """The encoded features of a cell, made when they are looked up; any text is a key."""

    def __init__(self, kind: ColumnKind, column: ColumnRecord) -> None:
        self.kind = kind
        self.column = column

    def __getitem__(self, cell: Cell) -> Features:
        features: list[float] = self.kind.encode(self.column, [cell])[0].tolist()
        return features

    def __iter__(self) -> Any:  # noqa: ANN401 - never returns
        raise TypeError("there is no list of all texts")

    def __len__(self) -> int:
        raise TypeError("there is no list of all texts")


def most_frequent(values: Sequence[V]) -> V:
    """Return the most frequent value, the smallest of equals."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _read_numbers(values: RawValues) -> NDArray[np.float64]:
    """Return float64 (n,), NaN where missing; an array of float64 is returned as it is."""
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        return values
    return np.asarray([math.nan if v is None else v for v in values], dtype=np.float64)
