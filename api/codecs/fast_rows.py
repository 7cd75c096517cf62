"""Reads the requests that are surely right, in a few microseconds; whatever is not goes the way that knows why.

A decoder made from the model's columns takes what `api.routes.row_schema` takes, and less: it returns None where there is any
doubt, and never a row that `api.routes.row_schema` would not give. What msgspec cannot see is a field that is there twice; but
each field costs two quotation marks, so a body with just as many as its fields need has none twice.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec.structs import astuple

from api.codecs.rows import Cells, Encoder, Rows
from registry.package import Column
from registry.package.columns import FLOAT32_MAX

Number = Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
QUOTES = 2  # around a field's name, and around a text
NESTED = 2  # brackets at the beginning of instances that are lists
SMALL = 1 << 12  # bytes of a body below which rows are few


class Reader:
    """Decodes rows of one model's columns.

    Raises:
        ValueError: where a column's name needs escapes in JSON; such a model is read the other way.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        columns = encoder.columns
        fields = [(f"f{i}", _type(column)) for i, column in enumerate(columns)]
        names = {f"f{i}": column.name for i, column in enumerate(columns)}
        named = msgspec.defstruct(
            "Named", fields, rename=names, forbid_unknown_fields=True, gc=False
        )
        listed = msgspec.defstruct(
            "Listed", fields, array_like=True, forbid_unknown_fields=True, gc=False
        )
        self._row = msgspec.json.Decoder(named).decode
        self._rows = msgspec.json.Decoder(list[named]).decode  # type: ignore[valid-type] # made at run time
        self._named_instances = _instances(named)
        self._listed_instances = _instances(listed)
        self._number_instances = _instances(list[Number])
        self._width = len(columns)
        self._flags = any(column.kind == "boolean" for column in columns)
        self._texts = [i for i, column in enumerate(columns) if column.kind == "categorical"]

    def row(self, body: bytes) -> Cells | None:
        """Read an object of fields."""
        try:
            cells = astuple(self._row(body))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if body.count(b'"') == QUOTES * self._width + self._text_quotes([cells]):
            return cells
        return None

    def rows(self, body: bytes) -> Rows | Cells | None:
        """Read a list of objects; one row stays cells."""
        return self._read(self._rows, body, QUOTES * self._width)

    def instances(self, body: bytes) -> Rows | Cells | None:
        """Read KServe's V1: `{"instances": [...]}`, each an object or a list of values; one row stays cells."""
        if body.count(b"[", 0, 64) < NESTED:
            return self._read(self._named_instances, body, QUOTES * self._width, others=QUOTES)
        if len(body) < SMALL or not self.encoder.plain or self._flags:
            return self._read(self._listed_instances, body, 0, others=QUOTES)
        return self._table(body)

    def _read(
        self, decode: Callable[[bytes], list[Any]], body: bytes, quotes: int, *, others: int = 0
    ) -> Rows | Cells | None:
        try:
            rows = [astuple(row) for row in decode(body)]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if not rows or body.count(b'"') != others + quotes * len(rows) + self._text_quotes(rows):
            return None
        if len(rows) > 1:
            return self.encoder.rows(rows)
        return rows[0]

    def _table(self, body: bytes) -> Rows | None:
        """Read many rows of numbers, without an object for each."""
        try:
            rows = self._number_instances(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if set(map(len, rows)) != {self._width} or body.count(b'"') != QUOTES:
            return None
        flat = np.fromiter(
            chain.from_iterable(rows), dtype=np.float64, count=len(rows) * self._width
        )
        return self.encoder.table(flat.reshape(len(rows), -1))

    def _text_quotes(self, rows: Sequence[Cells]) -> int:
        if self._texts:
            return QUOTES * sum(cells[i] is not None for i in self._texts for cells in rows)
        return 0


def _type(column: Column) -> Any:  # noqa: ANN401 - a type built at run time
    kind: Any = {"numeric": Number, "boolean": bool}.get(column.kind) or Literal[column.categories]
    return kind | None if column.nullable else kind


def _instances(row: Any) -> Callable[[bytes], list[Any]]:  # noqa: ANN401 - a type
    body = msgspec.defstruct("Instances", [("instances", list[row])], forbid_unknown_fields=True)
    decode = msgspec.json.Decoder(body).decode
    return lambda text: decode(text).instances  # type: ignore[attr-defined] # the struct is made at run time
