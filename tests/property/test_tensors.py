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
from support.registry import packages

from api.codecs.fast_rows import FastRowReader
from api.codecs.rows import Encoder, Rows
from api.codecs.tensor_bytes import pack, unpack
from api.codecs.tensors import NUMBERS, Inputs, Tensor
from api.limits import Limits
from api.problems import Problem
from api.routes.open_inference import requested_rows
from api.routes.v2_json import parse_infer_request
from api.serving.served import Served
from registry import Pointer
from registry.package import Column, encode, load_package

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


@st.composite
def plain_requests(draw: st.DrawFn) -> bytes:
    """Draw a request for rows of the package in `packages`; now and then a part is wrong."""
    fitting = {"rooms": st.floats(-1e6, 1e6), "river": st.booleans(), "zone": st.sampled_from("ab")}
    datatypes = {"rooms": "FP64", "river": "BOOL", "zone": "BYTES"}
    n = draw(st.integers(1, 3))
    inputs = []
    for name in draw(st.permutations(sorted(fitting))):
        data = [
            draw(st.sampled_from([fitting[name]] * 9 + [cells]).flatmap(lambda chosen: chosen))
            for _ in range(n)
        ]
        shape = draw(st.sampled_from([[n], [n], [n, 1], [n + 1], [1, n]]))
        datatype = draw(
            st.sampled_from([datatypes[name]] * 6 + ["FP32", "FP16", "INT8", "BOOL", "BF16"])
        )
        inputs.append({"name": name, "shape": shape, "datatype": datatype, "data": data})
    extras = draw(st.sampled_from([{}, {}, {"id": "7"}, {"parameters": {"a": "b"}}]))
    text = json.dumps({"inputs": inputs} | extras, ensure_ascii=draw(st.booleans()))
    spoil = draw(st.sampled_from([("", "")] * 4 + [('"zone"', '"rooms"'), ("[1]", "[1, 2]")]))
    return text.replace(*spoil).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("houses") / "houses"
    digest = packages.write_houses(folder)
    return Served.make(load_package(folder), Pointer(model="houses", number=1, sha256=digest))


@given(
    rooms=st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=3),
    river=st.booleans(),
    zone=st.sampled_from("ab"),
)
def test_plain_rows_are_read_by_the_fast_reader(
    served: Served, *, rooms: list[float], river: bool, zone: str
) -> None:
    n = len(rooms)
    values = {
        "rooms": ("FP64", rooms),
        "river": ("BOOL", [river] * n),
        "zone": ("BYTES", [zone] * n),
    }
    inputs = [
        {"name": name, "shape": [n], "datatype": datatype, "data": data}
        for name, (datatype, data) in values.items()
    ]
    assert served.reader
    found = served.reader.tensors(json.dumps({"id": "1", "inputs": inputs}).encode())
    assert found
    expected = [served.encoder.pack((room, river, zone)) for room in rooms]
    assert found[0] == "1"
    assert encoded(served, found[1]) == b"".join(expected)


PLAIN = (
    b'{"inputs": [{"name": "rooms", "shape": [1], "datatype": "FP64", "data": [1]}, '
    b'{"name": "river", "shape": [1], "datatype": "BOOL", "data": [true]}, '
    b'{"name": "zone", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}'
)


def encoded(served: Served, rows: Any) -> bytes:  # noqa: ANN401 - rows, or the cells of one
    return rows.x.tobytes() if isinstance(rows, Rows) else served.encoder.pack(rows)


@settings(max_examples=400)
@given(st.one_of(plain_requests(), bodies()))
@example(PLAIN.replace(b"{", b'{"id": "a", "id": "b", ', 1))
@example(PLAIN.replace(b'"data": [1]', b'"data": [1], "data": [2]'))
@example(PLAIN.replace(b'"data": ["a"]', b'"data": ["\\u0061"]'))
@example(b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}')
def test_the_fast_reader_agrees_with_the_strict_one_or_declines(
    served: Served, body: bytes
) -> None:
    assert served.reader
    found = served.reader.tensors(body)
    if found is None:
        return
    request_id, rows = found
    expected = parse_infer_request(body, None)
    by_array = requested_rows(served, expected, Limits())
    assert (request_id, (), False) == (expected.id, tuple(expected.outputs), expected.binary)
    assert encoded(served, rows) == by_array.x.tobytes()
    warnings = rows.warnings if isinstance(rows, Rows) else served.encoder.warnings(rows)
    assert list(warnings) == list(by_array.warnings)


NUMERIC = (
    Column(name="a", kind="numeric", minimum=-1.0, maximum=1.0),
    Column(name="b", kind="numeric", minimum=0.0, maximum=1.0, nullable=True),
)


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
    return json.dumps({"inputs": [tensor]} | extras).encode()


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
    found = FastRowReader(encoder).tensors(body)
    if found is None:
        return
    request_id, rows = found
    expected = parse_infer_request(body, None)
    by_array = Inputs(NUMERIC).read(expected.inputs)
    x = rows.x.tobytes() if isinstance(rows, Rows) else encoder.pack(rows)
    warnings = rows.warnings if isinstance(rows, Rows) else encoder.warnings(rows)
    assert request_id == expected.id
    assert x == by_array.x.tobytes()
    assert list(warnings) == list(by_array.warnings)


@pytest.mark.parametrize("data", ["[1, 0.5, 2, 0.25]", "[[1, 0.5], [2, 0.25]]"])
def test_a_plain_matrix_is_read_by_the_fast_reader(data: str) -> None:
    body = f'{{"inputs": [{{"name": "m", "shape": [2, 2], "datatype": "FP64", "data": {data}}}]}}'
    found = FastRowReader(Encoder(NUMERIC)).tensors(body.encode())
    assert found
    assert isinstance(found[1], Rows)
    assert found[1].x.tolist() == [[1, 0.5], [2, 0.25]]


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
