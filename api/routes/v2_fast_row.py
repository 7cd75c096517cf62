"""One row as JSON, which is what most requests are: answered without an array where it is surely right.

Ten thousand rows are cheap by the array; for one, numpy's calls would cost more than all else.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from api.codecs.rows import Cells
from api.limits import Limits
from api.problems import Problem
from api.routes.open_inference import Asked, Wanted, check_names, plain_outputs
from api.routes.replies import Reply, encode
from api.routes.v2_fast_json import (
    ABSENT,
    ALL_BINARY,
    BINARY,
    DECODER,
    Quick,
    QuickInput,
    flag,
    quotes,
)
from api.serving.served import Served, once_a_model
from registry.package import Column
from registry.package.columns import FLOAT32_MAX

SMALL = 1 << 14  # bytes of a body up to which it may be one row
_FLOATS = msgspec.json.Decoder(list[float]).decode
_BOOLS = msgspec.json.Decoder(list[bool]).decode
_TEXTS = msgspec.json.Decoder(list[str]).decode


class RowOfTensors:
    """Reads one row for one model's columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._place = {column.name: i for i, column in enumerate(columns)}
        self._known = [frozenset(column.categories) for column in columns]
        self._numeric = all(column.kind == "numeric" for column in columns)

    def cells(self, found: Quick) -> Cells | None:
        """Return raw values in the columns' order; None where the arrays' way must look.

        Raises:
            msgspec.MsgspecError: likewise.
        """
        first = found.inputs[0]
        if len(found.inputs) == 1 and first.name not in self._place:
            return self._of_one(first) if self._numeric else None
        if len(found.inputs) != len(self.columns):
            return None
        cells: list[Any] = [None] * len(self.columns)
        for each in found.inputs:
            place = self._place.get(each.name)
            if place is None or each.shape not in ([1], [1, 1]):
                return None
            cells[place] = self._cell(place, each)
        # One that does not fit, or a column twice and another never.
        if None in cells:
            return None
        return tuple(cells)

    def _of_one(self, each: QuickInput) -> Cells | None:
        width = len(self.columns)
        if each.shape != [1, width] or not _is_float(each.datatype):
            return None
        cells = _FLOATS(each.data)
        if len(cells) == width and all(map(_fits, cells)):
            return tuple(cells)
        return None

    def _cell(self, place: int, each: QuickInput) -> float | bool | str | None:
        kind = self.columns[place].kind
        if kind == "numeric":
            cells: list[Any] = _FLOATS(each.data)
            fits = len(cells) == 1 and _is_float(each.datatype) and _fits(cells[0])
        elif kind == "boolean":
            cells = _BOOLS(each.data)
            fits = len(cells) == 1 and each.datatype == "BOOL"
        else:
            cells = _TEXTS(each.data)
            fits = len(cells) == 1 and each.datatype == "BYTES" and cells[0] in self._known[place]
        return cells[0] if fits else None


_reader = once_a_model(lambda manifest: RowOfTensors(manifest.columns))


def quick_answer(served: Served, content: bytes, allowed: Limits) -> Reply | None:  # noqa: ARG001 - as all quick ones
    """Answer one row that is surely right, and wants all outputs as JSON; None where the others must look."""
    row = read_row(served, content)
    if row is None or row[0].binary or row[0].outputs:
        return None
    asked, cells = row
    shares = served.predict_row(cells)
    answer = {
        **head(served, asked),
        "outputs": [_output(*each) for each in plain_outputs(served, shares)],
    }
    return Reply(encode(answer), served.encoder.warnings(cells))


def read_row(served: Served, body: bytes) -> tuple[Asked, Cells] | None:
    """Read a request for one row that is surely right; None where `api.routes.v2_json.read` must look."""
    if len(body) > SMALL:
        return None
    try:
        found = DECODER.decode(body)
        cells = _reader(served).cells(found) if _is_plain(found) else None
        wanted = [
            Wanted(each.name, flag(each.parameters or {}, BINARY)) for each in found.outputs or ()
        ]
        check_names(served, wanted)
        asked = Asked(found.id or "", (), wanted, flag(found.parameters or {}, ALL_BINARY) or False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Problem):
        return None
    if cells is None or body.count(b'"') != quotes(found, sum(type(cell) is str for cell in cells)):
        return None
    return asked, cells


def head(served: Served, asked: Asked) -> dict[str, str]:
    """Return what an answer begins with."""
    return {
        "model_name": served.package.manifest.name,
        "model_version": served.package.digest,
        "id": asked.id,
    }


def _is_plain(found: Quick) -> bool:
    return bool(found.inputs) and all(
        each.parameters is UNSET and each.data is not ABSENT for each in found.inputs
    )


def _is_float(datatype: str) -> bool:
    return datatype in {"FP64", "FP32"}


def _fits(value: float) -> bool:
    return -FLOAT32_MAX <= value <= FLOAT32_MAX


def _output(name: str, datatype: str, shape: Sequence[int], data: Sequence[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
