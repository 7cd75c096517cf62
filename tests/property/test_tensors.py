"""Tensors: the fast reader agrees with the strict one or declines.

Rows are encoded as the package does it.
"""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.codecs.fast_rows import FastRowReader
from api.codecs.rows import Encoder, Rows
from api.codecs.tensor_bytes import pack, unpack
from api.codecs.tensors import NUMBERS, Inputs, Tensor
from api.problems import Problem
from api.routes.v2_json import parse_infer_request
from registry.package import Column, encode

NAMES = (
    "inputs",
    "id",
    "outputs",
    "parameters",
    "name",
    "shape",
    "datatype",
    "data",
    "model_name",
    "other",
)
COLUMNS = (
    Column(name="size", kind="numeric", minimum=-10.0, maximum=10.0),
    Column(name="zone", kind="categorical", categories=("", "a", "ü"), nullable=True),
    Column(name="gap", kind="numeric", minimum=0.0, maximum=1.0, nullable=True),
    Column(name="flag", kind="boolean"),
)
texts = st.text(max_size=4)
numbers = st.one_of(st.floats(width=64), st.integers(-(2**70), 2**70), st.just(10**400))
cells = st.one_of(numbers, st.booleans(), texts, st.none())
parameters = st.dictionaries(texts, st.one_of(cells, st.lists(cells, max_size=2)), max_size=2)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an input that mostly fits itself."""
    shape = draw(st.lists(st.integers(0, 3), min_size=0, max_size=2))
    datatype = draw(st.sampled_from([*NUMBERS, "BOOL", "BYTES", "BF16"]))
    n = draw(st.sampled_from([int(np.prod(shape)), 1]))
    fitting = {"BOOL": st.booleans(), "BYTES": texts}.get(
        datatype, numbers if "FP" in datatype else st.integers(0, 99)
    )
    data: list[Any] = draw(
        st.lists(draw(st.sampled_from([fitting, fitting, fitting, cells])), min_size=n, max_size=n)
    )
    if len(shape) == 2 and shape[1] and draw(st.booleans()):
        data = [data[i : i + shape[1]] for i in range(0, n, shape[1])]
    found = {"name": draw(texts), "shape": shape, "datatype": datatype, "data": data}
    return found | ({"parameters": draw(parameters)} if draw(st.booleans()) else {})


requests = st.fixed_dictionaries(
    {"inputs": st.lists(tensors(), max_size=2)},
    optional={
        "id": st.one_of(texts, st.none()),
        "model_name": texts,
        "outputs": st.lists(
            st.fixed_dictionaries({"name": texts}, optional={"parameters": parameters}), max_size=2
        ),
        "parameters": parameters,
    },
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a request's text, now and then spoilt.

    It may have a field twice, an escape, or a piece that is gone or doubled.
    """
    text = json.dumps(draw(requests), ensure_ascii=draw(st.booleans())).encode()
    spoil = draw(st.sampled_from(["no", "no", "twice", "cut", "repeat", "swap"]))
    a, b = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    if spoil == "twice":
        field = json.dumps({draw(st.sampled_from(NAMES)): draw(cells)}).encode()[1:-1]
        places = [i for i in range(len(text)) if text[i : i + 1] == b"{"]
        at = draw(st.sampled_from(places)) + 1
        return text[:at] + field + (b"" if text[at : at + 1] == b"}" else b",") + text[at:]
    if spoil == "swap":
        return text.replace(b'"id"', b'"\\u0069d"').replace(b"0", b"0.0", 1)
    return {"cut": text[:a] + text[b:], "repeat": text[:b] + text[a:]}.get(spoil, text)


rows = st.fixed_dictionaries(
    {
        "size": st.floats(-1e30, 1e30),
        "zone": st.sampled_from([*COLUMNS[1].categories, None]),
        "gap": st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
        "flag": st.booleans(),
    }
)


@given(st.lists(rows, min_size=1, max_size=5))
def test_rows_become_what_the_package_makes_of_them(found: list[dict[str, Any]]) -> None:
    table = {name: [row[name] for row in found] for name in found[0]}
    types = {"size": "FP64", "zone": "BYTES", "gap": "FP32", "flag": "BOOL"}
    inputs = [
        {"name": n, "shape": [len(found)], "datatype": types[n], "data": v}
        for n, v in table.items()
    ]
    asked = parse_infer_request(json.dumps({"inputs": inputs[::-1]}).encode(), None)
    read_rows = Inputs(COLUMNS).read(asked.inputs)
    assert read_rows.x.tobytes() == encode(COLUMNS, table).tobytes()
    outside = sum(abs(row["size"]) > 10 for row in found)
    outside += sum(row["gap"] is not None and not 0 <= row["gap"] <= 1 for row in found)
    assert len(read_rows.warnings) == outside


NUMERIC = (
    Column(name="a", kind="numeric", minimum=-1.0, maximum=1.0),
    Column(name="b", kind="numeric", minimum=0.0, maximum=1.0, nullable=True),
)


SPOILT = [("", "")] * 6 + [
    ('"data"', '"data": [1], "data"'),
    ('"shape"', '"shape": [1, 2], "shape"'),
    ('"id"', '"id": "8", "id"'),
    ('"rows"', '"r\\u006fws"'),
    ('"rows"', '"a"'),
    ('"7"', '""'),
]


@st.composite
def matrices(draw: st.DrawFn) -> bytes:
    """Draw a request with one tensor of both columns; now and then a part of it is wrong."""
    n = draw(st.integers(1, 3))
    cell = st.one_of(st.floats(-10, 10), st.integers(-9, 9))
    kinds = draw(st.sampled_from([[cell], [cell], [cell, cells]]))
    data: list[Any] = draw(st.lists(st.one_of(*kinds), min_size=2 * n, max_size=2 * n))
    if draw(st.booleans()):
        data = [data[2 * i : 2 * i + 2] for i in range(n)]
    shape = draw(st.sampled_from([[n, 2]] * 4 + [[2, n], [2 * n], [n + 1, 2]]))
    datatype = draw(st.sampled_from(["FP64", "FP64", "FP32", "FP16", "INT64", "BOOL", "BYTES"]))
    tensor = {"name": "rows", "shape": shape, "datatype": datatype, "data": data}
    extras = draw(st.sampled_from([{}, {"id": "7"}, {"parameters": {"a": "b"}}]))
    text = json.dumps({"inputs": [tensor]} | extras)
    return text.replace(*draw(st.sampled_from(SPOILT))).encode()


@settings(max_examples=400)
@given(matrices())
@example(
    b'{"inputs": [{"name": "rows", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}]}'
)
@example(
    b'{"inputs": [{"name": "rows", "shape": [1, 2], "datatype": "FP32", "data": [1, 3.5e38]}]}'
)
def test_a_matrix_is_read_as_the_strict_way_reads_it_or_declined(body: bytes) -> None:
    encoder = Encoder(NUMERIC)
    found = FastRowReader(encoder).matrix(body)
    if found is None:
        return
    rows, request_id = found
    expected = parse_infer_request(body, None)
    by_array = Inputs(NUMERIC).read(expected.inputs)
    x = rows.x.tobytes() if isinstance(rows, Rows) else encoder.pack(rows)
    warnings = rows.warnings if isinstance(rows, Rows) else encoder.warnings(rows)
    assert request_id == expected.id
    assert x == by_array.x.tobytes()
    assert list(warnings) == list(by_array.warnings)


def test_a_plain_matrix_is_read_by_the_fast_reader() -> None:
    tensor = {"name": "m", "shape": [2, 2], "datatype": "FP64", "data": [1, 0.5, 2, 0.25]}
    found = FastRowReader(Encoder(NUMERIC)).matrix(json.dumps({"inputs": [tensor]}).encode())
    assert found
    assert isinstance(found[0], Rows)
    assert found[0].x.tolist() == [[1, 0.5], [2, 0.25]]


@given(st.data())
def test_bytes_of_a_tensor_come_back(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from([*NUMBERS, "BOOL", "BYTES"]))
    n = data.draw(st.integers(1, 5))
    drawn: Any
    if datatype == "BYTES":
        drawn = np.array(data.draw(st.lists(texts, min_size=n, max_size=n)), dtype=object)
    else:
        dtype = np.dtype(bool) if datatype == "BOOL" else NUMBERS[datatype]
        content = data.draw(st.binary(min_size=n * dtype.itemsize, max_size=n * dtype.itemsize))
        drawn = np.frombuffer(
            bytes(b & 1 for b in content) if datatype == "BOOL" else content, dtype
        )
    packed = pack(Tensor("x", datatype, [n], drawn))
    assert pack(unpack("x", datatype, [n], packed)) == packed
    cut = data.draw(st.integers(0, len(packed) - 1)) if packed else 0
    for wrong in (packed[:cut], packed + b"\0"):
        with pytest.raises(Problem):
            unpack("x", datatype, [n], wrong)


@given(
    st.binary(max_size=40),
    st.sampled_from([*NUMBERS, "BOOL", "BYTES", "BF16"]),
    st.integers(-1, 2**70),
)
def test_any_bytes_are_read_or_refused(content: bytes, datatype: str, n: int) -> None:
    with suppress(Problem):
        assert len(unpack("x", datatype, [n], content).values) == n
