"""The encoding exists once: what training learned from is what a server makes of a request.

Each example is fifty rows of a generated table, two hundred examples: ten thousand rows. They are
encoded as training does, from a table's columns by the readers of cells, and by every way into the
server, and must be the same bytes.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from support.registry.packages import manifest

from api.codecs.rows import Rows
from api.codecs.tensor_bytes import pack
from api.codecs.tensors import Tensor
from api.grpc.tensors import INFERENCE, read_infer_request
from api.limits import Limits
from api.routes.open_inference import requested_rows
from api.routes.predict import parse_rows
from api.routes.v1 import parse_instances
from api.routes.v2_json import parse_infer_request
from api.serving.served import Served
from registry import Pointer
from registry.package import (
    COLUMN_KINDS,
    Column,
    FlatForest,
    Manifest,
    ModelPackage,
    encode,
)
from registry.package.golden import Golden
from registry.package.manifest import TextRules
from trainer.cells import CELL_READERS

ROWS = 50
RULES = TextRules(missing=("", "NA", "?"), missing_in={"zone": ("none",)}, strip=True)
NUMBERS = (
    Column(name="size", kind="numeric", minimum=0.0, maximum=1.0, nullable=True),
    Column(name="age", kind="numeric", minimum=0.0, maximum=9.0, on_unknown="missing"),
    Column(name="new", kind="boolean", nullable=True),
    Column(name="zone", kind="categorical", categories=("a", "b c", "größe"), nullable=True),
)
COLUMNS = (
    *NUMBERS,
    Column(name="town", kind="categorical", categories=("a", "b"), on_unknown="missing"),
    Column(name="street", kind="categorical", categories=("a", "b"), other=True, nullable=True),
    Column(
        name="sold",
        kind="datetime",
        parts=("elapsed", "month", "day", "weekday", "day_of_year", "hour", "minute"),
        minimum=0.0,
        maximum=1e9,
        nullable=True,
    ),
    Column(name="built", kind="datetime", parts=("elapsed",), on_unknown="missing"),
    Column(name="notes", kind="text", buckets=24, nullable=True),
)
GAP = object()
Row = dict[str, Any]  # cells by column; GAP where there is none


def serve(columns: tuple[Column, ...]) -> Served:
    """Make a model of these columns that answers 0."""
    fields = manifest(columns=columns, texts=RULES)
    model = Manifest.checked({**fields, "files": {}})
    leaf = {
        "start": np.array([0, 1], dtype=np.int32),
        **{name: np.zeros(1, dtype=np.int32) for name in ("feature", "left", "right")},
        "threshold": np.zeros(1, dtype=np.float32),
        "missing_left": np.zeros(1, dtype=np.bool_),
        "value": np.zeros((1, 1)),
    }
    package = ModelPackage(
        path=Path(),
        digest="0" * 64,
        manifest=model,
        predictor=FlatForest.from_arrays(leaf, n_features=model.width),
        rows=np.empty(0, dtype=np.uint64),
        residuals=None,
        golden=Golden(rows=({column.name: None for column in columns},), predictions=((0.0,),)),
        card="",
        size=0,
    )
    return Served.make(package, Pointer(model="houses", number=1, sha256="0" * 64))


SERVED = serve(COLUMNS)
FAST = serve(NUMBERS)
OPEN = Limits()


def number(rng: random.Random) -> float:
    return rng.choice([0.0, -0.0, 0.1, 1e-40, 3.4e38, rng.uniform(-5, 5), float(rng.randrange(9))])


def date(rng: random.Random) -> str:
    day = f"{rng.randrange(1, 9999):04}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}"
    second = rng.choice(["", ":07", ":59.5", ":00.123456", ":00.1234567", ":00,25"])
    zone = rng.choice(["", "Z", "z", "+02", "-0330", "+14:00", "-23:59"])
    whole = day + rng.choice("T t") + clock + second + zone
    basic = day.replace("-", "") + rng.choice(["", "T" + clock.replace(":", "") + "Z"])
    return rng.choice([day, whole, whole, basic])


def cell(column: Column, rng: random.Random, texts: list[str]) -> Any:  # noqa: ANN401 - JSON
    """Draw a cell as a person might have written it."""
    if rng.random() < 0.15:
        return GAP
    if column.kind == "numeric":
        return number(rng)
    if column.kind == "boolean":
        return rng.random() < 0.5
    if column.kind == "datetime":
        text = date(rng)
    elif column.kind == "categorical":
        known = [*column.categories, "NA", " ?"]
        others = texts if column.other or column.on_unknown == "missing" else []
        text = rng.choice([*known, *others])
    else:
        text = " ".join(rng.choices(texts, k=rng.randrange(5)))
    return rng.choice(["", "", " ", "\t\u00a0"]) + text + rng.choice(["", "", "  "])


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    rng = random.Random(draw(st.integers(0, 2**64)))  # noqa: S311 - not for secrets
    texts = draw(st.lists(st.text(max_size=9), min_size=3, max_size=9))
    return [{c.name: cell(c, rng, texts) for c in COLUMNS} for _ in range(ROWS)]


def training_matrix(columns: tuple[Column, ...], rows: list[Row]) -> bytes:
    """Encode as training does: the rules of texts, the readers of cells, the columns."""
    table = {}
    for column in columns:
        cells = pd.Series([as_read(row[column.name], column) for row in rows], name=column.name)
        if COLUMN_KINDS[column.kind].json_type == "string":
            cells = cells.astype(object)
        table[column.name] = CELL_READERS[column.kind](cells)
    return encode(columns, table).tobytes()


def as_read(found: Any, column: Column) -> Any:  # noqa: ANN401 - JSON
    """Return a cell as the reading of tables leaves it."""
    if not isinstance(found, str):
        return None if found is GAP else found
    text = found.strip()
    markers = {*RULES.missing, *RULES.missing_in.get(column.name, ())}
    return None if text in markers else text


def documents(columns: tuple[Column, ...], rows: list[Row], gaps: list[Any]) -> list[Row]:
    """Return rows as JSON has them; a gap is null, or a text that means one."""
    return [
        {
            c.name: gaps[(i + j) % len(gaps)] if row[c.name] is GAP else row[c.name]
            for j, c in enumerate(columns)
        }
        for i, row in enumerate(rows)
    ]


def tensors(columns: tuple[Column, ...], rows: list[Row], *, binary: bool) -> Iterator[Tensor]:
    """Yield a tensor a column; bytes have no null, so that a text there says it."""
    for column in columns:
        kind = COLUMN_KINDS[column.kind]
        cells = [row[column.name] for row in rows]
        values: Any
        if kind.json_type == "string":
            gap = " NA" if binary else None
            values = np.array([gap if c is GAP else c for c in cells], dtype=object)
        elif kind.json_type == "number":
            values = np.array([np.nan if c is GAP else c for c in cells], dtype=np.float64)
        else:
            values = np.array([None if c is GAP else c for c in cells], dtype=object)
            if binary:
                values = values.astype(bool)
        yield Tensor(column.name, kind.tensor_datatype, [len(rows)], values)


def as_json(tensor: Tensor) -> Row:
    cells = tensor.values.tolist()  # noqa: PD011 - a tensor's
    return {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(tensor.shape),
        "data": [None if cell != cell else cell for cell in cells],  # noqa: PLR0124 - NaN
    }


def as_binary(tensor: Tensor) -> Row:
    fields = as_json(tensor)
    del fields["data"]
    return {**fields, "parameters": {"binary_data_size": len(pack(tensor))}}


def by_predict(served: Served, columns: tuple[Column, ...], rows: list[Row]) -> Iterator[bytes]:
    for gaps in ([None], [None, "NA", " ? "]):
        found = documents(columns, rows, gaps)
        read = parse_rows(served, json.dumps(found).encode(), OPEN)
        assert isinstance(read, Rows)
        yield read.x.tobytes()
    single = [parse_rows(served, json.dumps(each).encode(), OPEN) for each in found]
    yield b"".join(map(served.encoder.pack, single))


def by_v1(served: Served, columns: tuple[Column, ...], rows: list[Row]) -> Iterator[bytes]:
    found = documents(columns, rows, [None, "NA"])
    for instances in (found, [list(each.values()) for each in found]):
        body = json.dumps({"instances": instances}).encode()
        yield parse_instances(served, body, OPEN).x.tobytes()


def by_v2(served: Served, columns: tuple[Column, ...], rows: list[Row]) -> Iterator[bytes]:
    listed = [as_json(each) for each in tensors(columns, rows, binary=False)]
    request = parse_infer_request(json.dumps({"inputs": listed}).encode(), None)
    yield requested_rows(served, request, OPEN).x.tobytes()


def by_binary(served: Served, columns: tuple[Column, ...], rows: list[Row]) -> Iterator[bytes]:
    found = list(tensors(columns, rows, binary=True))
    head = json.dumps({"inputs": [as_binary(each) for each in found]}).encode()
    content = b"".join(map(pack, found))
    request = parse_infer_request(head + content, str(len(head)))
    yield requested_rows(served, request, OPEN).x.tobytes()


def by_grpc(served: Served, columns: tuple[Column, ...], rows: list[Row]) -> Iterator[bytes]:
    found = list(tensors(columns, rows, binary=True))
    raw = INFERENCE["ModelInferRequest"]()
    typed = INFERENCE["ModelInferRequest"]()
    contents = {"FP64": "fp64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
    for each in found:
        fields = {"name": each.name, "datatype": each.datatype, "shape": each.shape}
        raw.inputs.add(**fields)
        raw.raw_input_contents.append(pack(each))
        values = each.values.tolist()  # noqa: PD011 - a tensor's
        if each.datatype == "BYTES":
            values = [text.encode() for text in values]
        tensor = typed.inputs.add(**fields)
        getattr(tensor.contents, contents[each.datatype]).extend(values)
    for request in (raw, typed):
        yield requested_rows(served, read_infer_request(request), OPEN).x.tobytes()


WAYS: list[Callable[..., Iterator[bytes]]] = [by_predict, by_v1, by_v2]
BYTE_WAYS: list[Callable[..., Iterator[bytes]]] = [by_binary, by_grpc]


@settings(max_examples=200, deadline=None)
@given(tables())
def test_training_and_every_way_into_the_server_encode_alike(rows: list[Row]) -> None:
    wanted = training_matrix(COLUMNS, rows)
    for way in WAYS:
        assert all(found == wanted for found in way(SERVED, COLUMNS, rows)), way
    for row in rows:  # bytes have no missing flag
        row["new"] = row["new"] is not GAP and row["new"]
    wanted = training_matrix(COLUMNS, rows)
    for way in BYTE_WAYS:
        assert all(found == wanted for found in way(SERVED, COLUMNS, rows)), way


@settings(max_examples=100, deadline=None)
@given(tables())
def test_the_fast_path_encodes_as_training_does_or_leaves_it(rows: list[Row]) -> None:
    assert SERVED.reader is None  # free texts have rules of their own
    reader = FAST.reader
    assert reader
    wanted = training_matrix(NUMBERS, rows)
    width = FAST.package.manifest.width * 4
    found = documents(NUMBERS, rows, [None])
    for i, each in enumerate(found):
        cells = reader.row(json.dumps(each, ensure_ascii=False).encode())
        text = rows[i]["zone"]
        assert (cells is None) == (text is not GAP and text not in NUMBERS[3].categories)
        if cells is not None:
            assert FAST.encoder.pack(cells) == wanted[i * width : (i + 1) * width]
    for way in WAYS:
        assert all(found == wanted for found in way(FAST, NUMBERS, rows)), way
