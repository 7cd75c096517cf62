"""Reads the requests that are surely right, in a few microseconds; whatever is not goes the way that knows why.

A decoder made from the model's columns takes what `api.schema` takes, and less: it returns None where there is any
doubt, and never a row that `api.schema` would not give. What msgspec cannot see is a field that is there twice; but
each field costs two quotation marks, so a body with just as many as its fields need has none twice.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec.structs import astuple

from api.encoding import Cells
from registry.package import Column
from registry.package.columns import FLOAT32_MAX

Number = Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]
QUOTES = 2  # around a field's name, and around a text


class Reader:
    """Decodes rows of one model's columns.

    Raises:
        ValueError: where a column's name needs escapes in JSON; such a model is read the other way.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        fields = [(f"f{i}", _type(column)) for i, column in enumerate(columns)]
        names = {f"f{i}": column.name for i, column in enumerate(columns)}
        named = msgspec.defstruct("Named", fields, rename=names, forbid_unknown_fields=True, gc=False)
        listed = msgspec.defstruct("Listed", fields, array_like=True, forbid_unknown_fields=True, gc=False)
        self._row = msgspec.json.Decoder(named).decode
        self._rows = msgspec.json.Decoder(list[named]).decode  # type: ignore[valid-type] # made at run time
        self._named_instances, self._listed_instances = _instances(named), _instances(listed)
        self._width = len(columns)
        self._texts = [i for i, column in enumerate(columns) if column.kind == "categorical"]

    def row(self, body: bytes) -> Cells | None:
        """Read an object of fields."""
        try:
            cells = astuple(self._row(body))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return cells if body.count(b'"') == QUOTES * self._width + self._text_quotes([cells]) else None

    def rows(self, body: bytes) -> list[Cells] | None:
        """Read a list of objects."""
        return self._read(self._rows, body, QUOTES * self._width)

    def instances(self, body: bytes) -> list[Cells] | None:
        """Read KServe's V1: `{"instances": [...]}`, each an object or a list of values."""
        if body.count(b"[", 0, 64) > 1:
            return self._read(self._listed_instances, body, 0, others=QUOTES)
        return self._read(self._named_instances, body, QUOTES * self._width, others=QUOTES)

    def _read(
        self, decode: Callable[[bytes], list[Any]], body: bytes, quotes: int, *, others: int = 0
    ) -> list[Cells] | None:
        try:
            rows = [astuple(row) for row in decode(body)]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return rows if rows and body.count(b'"') == others + quotes * len(rows) + self._text_quotes(rows) else None

    def _text_quotes(self, rows: Sequence[Cells]) -> int:
        return QUOTES * sum(cells[i] is not None for i in self._texts for cells in rows) if self._texts else 0


def _type(column: Column) -> Any:  # noqa: ANN401 - a type built at run time
    kind: Any = {"numeric": Number, "boolean": bool}.get(column.kind) or Literal[column.categories]
    return kind | None if column.nullable else kind


def _instances(row: type) -> Callable[[bytes], list[Any]]:
    body = msgspec.defstruct("Instances", [("instances", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type] # made at run time
    decode = msgspec.json.Decoder(body).decode
    return lambda text: decode(text).instances  # type: ignore[attr-defined] # likewise
