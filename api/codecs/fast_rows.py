"""Reads rows that are surely right, in one pass by msgspec, straight to the model's own columns.

Used by the fast path alone. A decoder made from the model's columns accepts what
`api.routes.row_schema` accepts, and less: it returns None in any doubt, and never a row that the
schema would not give. What msgspec cannot see is a field that is there twice; but each name and
each text costs two quotation marks, so a body with just as many as it needs has none twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import astuple

from api.codecs.rows import MAX_FEATURES, Cells, Encoder, Rows
from registry.package import COLUMN_KINDS
from registry.package.columns import Number

RowDecoder = Callable[[bytes], list[Any]]
QUOTES = 2  # around a field's name, and around a text
INSTANCES = QUOTES  # of V1's one name
TENSOR = QUOTES * 7  # of V2's names and texts for one tensor
REQUEST_ID = QUOTES * 2
NESTED = 2  # brackets at the beginning of instances that are lists
FAULTS = (msgspec.MsgspecError, UnicodeDecodeError)


class MatrixTensor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """V2's tensor of whole rows [n, columns], flat."""

    name: str
    shape: tuple[int, int]
    datatype: Literal["FP64", "FP32"]
    data: list[Number]


class MatrixRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A request of V2 with one tensor, that wants all outputs as JSON."""

    inputs: tuple[MatrixTensor]
    id: str = ""


_decode_matrix = msgspec.json.Decoder(MatrixRequest).decode


class FastRowReader:
    """Decodes rows of one model's columns; one row stays cells, but in a list of `/predict`.

    Raises:
        ValueError: where a column's name needs escapes in JSON, or a column takes any text, which
            has rules of its own; FastAPI's routes read such a model.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        columns = encoder.columns
        kinds = [COLUMN_KINDS[column.kind] for column in columns]
        if any(kind.takes_any_text(c) for kind, c in zip(kinds, columns, strict=True)):
            raise ValueError("a column takes any text")
        types = [kind.cell_type(column) for kind, column in zip(kinds, columns, strict=True)]
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
        self._names = {column.name for column in columns}
        self._quotes = QUOTES * len(columns)  # of a row's names
        self._most_rows = MAX_FEATURES // sum(column.width for column in columns)
        self._numeric = all(kind.json_type == "number" for kind in kinds)
        self._texts = [i for i, kind in enumerate(kinds) if kind.json_type == "string"]

    def row(self, body: bytes) -> Cells | None:
        """Read an object of fields."""
        try:
            cells = astuple(self._decode_row(body))
        except FAULTS:
            return None
        return cells if body.count(b'"') == self._quotes + self._text_quotes([cells]) else None

    def rows(self, body: bytes) -> Rows | None:
        """Read a list of objects."""
        rows = self._read(self._decode_rows, body, self._quotes)
        return self.encoder.rows(rows) if rows else None

    def instances(self, body: bytes) -> Rows | Cells | None:
        """Read V1: `{"instances": [...]}`, each an object or a list."""
        if body.count(b"[", 0, 64) < NESTED:
            rows = self._read(self._decode_named, body, self._quotes, INSTANCES)
        else:
            rows = self._read(self._decode_listed, body, 0, INSTANCES)
        if not rows:
            return None
        return self.encoder.rows(rows) if len(rows) > 1 else rows[0]

    def matrix(self, body: bytes) -> tuple[Rows | Cells, str] | None:
        """Read V2 where one tensor holds numbers for all columns; return the request's id too."""
        try:
            request = _decode_matrix(body)
        except FAULTS:
            return None
        tensor = request.inputs[0]
        n, width = tensor.shape
        quotes = TENSOR + REQUEST_ID * bool(request.id)
        if (
            not self._numeric
            or tensor.name in self._names
            or width != len(self._names)
            or not 0 < n <= self._most_rows
            or len(tensor.data) != n * width
            or body.count(b'"') != quotes
        ):
            return None
        if n == 1:
            return tuple(tensor.data), request.id
        table = np.array(tensor.data, np.float64).reshape(n, width)
        return self.encoder.table(table), request.id

    def _read(
        self, decode: RowDecoder, body: bytes, row_quotes: int, other_quotes: int = 0
    ) -> list[Cells] | None:
        try:
            rows = [astuple(row) for row in decode(body)]
        except FAULTS:
            return None
        expected = other_quotes + row_quotes * len(rows) + self._text_quotes(rows)
        return rows if len(rows) <= self._most_rows and body.count(b'"') == expected else None

    def _text_quotes(self, rows: Sequence[Cells]) -> int:
        if not self._texts:
            return 0
        return QUOTES * sum(cells[i] is not None for i in self._texts for cells in rows)


def _instances_decoder(row: Any) -> RowDecoder:  # noqa: ANN401 - a type
    fields = [("instances", list[row])]
    body = msgspec.defstruct("Instances", fields, forbid_unknown_fields=True)
    decode = msgspec.json.Decoder(body).decode
    return lambda text: decode(text).instances  # type: ignore[attr-defined] # the struct is made at run time
