"""Reads rows that are surely right, in one pass by msgspec, straight to the model's own columns.

Used by the fast path alone. A decoder made from the model's columns accepts what
`api.routes.row_schema` accepts, and less: it returns None in any doubt, and never a row that the
schema would not give. What msgspec cannot see is a field that is there twice; but each name and
each text costs two quotation marks, so a body with just as many as it needs has none twice.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from api.codecs.rows import MAX_FEATURES, Cells, Encoder, Rows
from registry.package import COLUMN_KINDS
from registry.package.columns import Number

Cell = Any  # a number, a flag, a text, or None
RowDecoder = Callable[[bytes], list[Any]]
QUOTES = 2  # around a field's name, and around a text
NESTED = 2  # brackets at the beginning of instances that are lists
SMALL = 1 << 12  # bytes of a body below which rows are few
TENSOR_QUOTES = QUOTES * (4 + 2)  # an input's four names, and the texts of two of them
NARROW = ("INT", "UINT", "FP16")  # datatypes that do not hold every number of a column
MATRIX = 2  # dimensions
FLOATS = frozenset({"FP64", "FP32"})
FAULTS = (msgspec.MsgspecError, UnicodeDecodeError)


class TensorInput(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An input of V2 as JSON; FastAPI's routes read it where it has parameters or nested data."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw


class TensorRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A request of V2 that wants all outputs as JSON."""

    inputs: list[TensorInput]
    id: str | UnsetType = UNSET


_decode_tensors = msgspec.json.Decoder(TensorRequest).decode
_decode_flat = msgspec.json.Decoder(list[Number]).decode
_decode_nested = msgspec.json.Decoder(list[list[Number]]).decode


class FastRowReader:
    """Decodes rows of one model's columns.

    Raises:
        ValueError: where a column's name needs escapes in JSON, or a column takes any text, which
            has rules of its own; FastAPI's routes read such a model.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        columns = encoder.columns
        if any(COLUMN_KINDS[column.kind].takes_any_text(column) for column in columns):
            raise ValueError("a column takes any text")
        types = [COLUMN_KINDS[column.kind].cell_type(column) for column in columns]
        fields = [(f"f{i}", cell_type) for i, cell_type in enumerate(types)]
        names = {f"f{i}": column.name for i, column in enumerate(columns)}
        named = msgspec.defstruct(
            "Named", fields, rename=names, forbid_unknown_fields=True, gc=False
        )
        listed = msgspec.defstruct(
            "Listed", fields, array_like=True, forbid_unknown_fields=True, gc=False
        )
        self._decode_row = msgspec.json.Decoder(named).decode
        self._decode_rows = msgspec.json.Decoder(list[named]).decode  # type: ignore[valid-type] # made at run time
        self._decode_named = _instances_decoder(named)
        self._decode_listed = _instances_decoder(listed)
        self._decode_numbers = _instances_decoder(list[Number])
        self._place = {column.name: i for i, column in enumerate(columns)}
        self._decode_cells = [_list_decoder(cell_type) for cell_type in types]
        self._width = len(columns)
        self._most_rows = MAX_FEATURES // sum(column.width for column in columns)
        self._numeric = all(COLUMN_KINDS[each.kind].json_type == "number" for each in columns)
        self._flags = any(COLUMN_KINDS[column.kind].json_type == "boolean" for column in columns)
        self._texts = [
            i for i, column in enumerate(columns) if COLUMN_KINDS[column.kind].json_type == "string"
        ]

    def row(self, body: bytes) -> Cells | None:
        """Read an object of fields."""
        try:
            cells = astuple(self._decode_row(body))
        except FAULTS:
            return None
        expected = QUOTES * self._width + self._text_quotes([cells])
        return cells if body.count(b'"') == expected else None

    def rows(self, body: bytes) -> Rows | Cells | None:
        """Read a list of objects; one row stays cells."""
        return self._read_rows(self._decode_rows, body, QUOTES * self._width)

    def instances(self, body: bytes) -> Rows | Cells | None:
        """Read V1: `{"instances": [...]}`, each an object or a list; one row stays cells."""
        if body.count(b"[", 0, 64) < NESTED:
            return self._read_rows(self._decode_named, body, QUOTES * self._width, others=QUOTES)
        if len(body) < SMALL or not self.encoder.plain or self._flags:
            return self._read_rows(self._decode_listed, body, 0, others=QUOTES)
        return self._read_numbers(body)

    def tensors(self, body: bytes) -> tuple[str, Rows | Cells] | None:
        """Read V2: the request's id, and its rows; one row stays cells.

        There is a tensor for each column, or one tensor [n, columns] of numbers.
        """
        try:
            request = _decode_tensors(body)
            tensors = request.inputs
            if len(tensors) == 1 and tensors[0].name not in self._place:
                rows = self._matrix_rows(tensors[0])
            else:
                rows = self._column_rows(tensors)
        except FAULTS:
            return None
        if rows is None:
            return None
        n = len(rows.x) if isinstance(rows, Rows) else 1
        expected = QUOTES + TENSOR_QUOTES * len(tensors) + QUOTES * n * len(self._texts)
        if request.id is not UNSET:
            expected += QUOTES * 2
        return (request.id or "", rows) if body.count(b'"') == expected else None

    def _matrix_rows(self, tensor: TensorInput) -> Rows | Cells | None:
        if not self._numeric or tensor.datatype not in FLOATS or len(tensor.shape) != MATRIX:
            return None
        if bytes(memoryview(tensor.data)[:2]) == b"[[":
            nested = _decode_nested(tensor.data)
            if set(map(len, nested)) != {self._width}:
                return None
            numbers = list(chain.from_iterable(nested))
        else:
            numbers = _decode_flat(tensor.data)
        n, width = tensor.shape
        if width != self._width or n < 1 or len(numbers) != n * width:
            return None
        if n == 1:
            return tuple(numbers)
        return self.encoder.table(np.array(numbers, np.float64).reshape(n, width))

    def _column_rows(self, tensors: Sequence[TensorInput]) -> Rows | Cells | None:
        columns: list[Sequence[Cell]] = [()] * self._width
        for tensor in tensors:
            place = self._place.get(tensor.name)
            cells = None if place is None else self._read_cells(place, tensor)
            if place is None or cells is None or columns[place]:
                return None
            columns[place] = cells
        n = len(columns[0])
        if not 0 < n <= self._most_rows or {n} != set(map(len, columns)):
            return None
        if n == 1:
            return tuple(column[0] for column in columns)
        if self.encoder.plain:
            return self.encoder.table(np.array(columns, np.float64).T)
        return self.encoder.rows(list(zip(*columns, strict=True)))

    def _read_cells(self, place: int, tensor: TensorInput) -> list[Cell] | None:
        kind = COLUMN_KINDS[self.encoder.columns[place].kind]
        datatype = tensor.datatype
        if datatype not in kind.tensor_datatypes or datatype.startswith(NARROW):
            return None
        cells = self._decode_cells[place](tensor.data)
        n = len(cells)
        return cells if tensor.shape in ([n], [n, 1]) and None not in cells else None

    def _read_rows(
        self, decode: RowDecoder, body: bytes, quotes: int, *, others: int = 0
    ) -> Rows | Cells | None:
        try:
            rows = [astuple(row) for row in decode(body)]
        except FAULTS:
            return None
        expected = others + quotes * len(rows) + self._text_quotes(rows)
        if not 0 < len(rows) <= self._most_rows or body.count(b'"') != expected:
            return None
        return self.encoder.rows(rows) if len(rows) > 1 else rows[0]

    def _read_numbers(self, body: bytes) -> Rows | None:
        """Read many rows of numbers, without an object for each."""
        try:
            rows = self._decode_numbers(body)
        except FAULTS:
            return None
        if set(map(len, rows)) != {self._width} or body.count(b'"') != QUOTES:
            return None
        cells = chain.from_iterable(rows)
        flat = np.fromiter(cells, dtype=np.float64, count=len(rows) * self._width)
        return self.encoder.table(flat.reshape(len(rows), -1))

    def _text_quotes(self, rows: Sequence[Cells]) -> int:
        if not self._texts:
            return 0
        return QUOTES * sum(cells[i] is not None for i in self._texts for cells in rows)


def _list_decoder(cell: Any) -> Callable[[msgspec.Raw], list[Cell]]:  # noqa: ANN401 - a type
    return msgspec.json.Decoder(list[cell]).decode


def _instances_decoder(row: Any) -> RowDecoder:  # noqa: ANN401 - a type
    fields = [("instances", list[row])]
    body = msgspec.defstruct("Instances", fields, forbid_unknown_fields=True)
    decode = msgspec.json.Decoder(body).decode
    return lambda text: decode(text).instances  # type: ignore[attr-defined] # the struct is made at run time
