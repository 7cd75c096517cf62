"""Tensors: the quick way gives what the slow way gives or leaves it alone; rows are encoded as the package does it."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.registry import packages

from api.codecs.tensor_bytes import pack, unpack
from api.codecs.tensors import NUMBERS, Inputs, Tensor
from api.limits import Limits
from api.problems import Problem
from api.routes.open_inference import rows as rows_of
from api.routes.v2_fast_json import quick
from api.routes.v2_fast_row import read_row
from api.routes.v2_json import read, slow
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
    """Draw a request's text, now and then spoilt: a field twice, an escape, a piece that is gone or doubled."""
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


def same(a: Any, b: Any) -> bool:  # noqa: ANN401 - parts of requests
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        about = (a.name, a.datatype, list(a.shape)) == (b.name, b.datatype, list(b.shape))
        if a.values.dtype == object:
            return about and a.values.tolist() == b.values.tolist()
        return (
            about and a.values.dtype == b.values.dtype and a.values.tobytes() == b.values.tobytes()
        )
    return bool(a == b)


@settings(max_examples=400)
@given(bodies())
@example(
    b'{"id": "a", "id": "b", "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}]}'
)
@example(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1], "data": [2]}]}')
@example(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["a\\"b"]}]}')
@example(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BF16", "data": [1]}]}')
def test_the_quick_way_agrees_with_the_slow_one_or_declines(body: bytes) -> None:
    found = quick(body)
    if found is None:
        return
    expected = slow(body)
    assert (found.id, found.outputs, found.parameters) == (
        expected.id,
        expected.outputs,
        expected.parameters,
    )
    assert len(found.inputs) == len(expected.inputs)
    assert all(map(same, found.inputs, expected.inputs))


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9),
    st.booleans(),
)
def test_what_is_plain_is_read_quickly_and_exactly(numbers: list[float], nested: bool) -> None:  # noqa: FBT001
    data: Any = [[number] for number in numbers] if nested else numbers
    tensor = {"name": "x", "shape": [len(numbers), 1], "datatype": "FP64", "data": data}
    found = quick(json.dumps({"id": "1", "inputs": [tensor]}).encode())
    assert found
    assert isinstance(found.inputs[0], Tensor)
    assert found.inputs[0].values.tolist() == numbers


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
    asked = read(json.dumps({"inputs": inputs[::-1]}).encode(), None)
    read_rows = Inputs(COLUMNS).read(asked.inputs)
    assert read_rows.x.tobytes() == encode(COLUMNS, table).tobytes()
    outside = sum(abs(row["size"]) > 10 for row in found)
    outside += sum(row["gap"] is not None and not 0 <= row["gap"] <= 1 for row in found)
    assert len(read_rows.warnings) == outside


@st.composite
def one_row(draw: st.DrawFn) -> bytes:
    """Draw a request for a row of the package in `support.registry.packages`; now and then a part of it is something else."""
    fitting = {"rooms": st.floats(-10, 10), "river": st.booleans(), "zone": st.sampled_from("ab")}
    datatypes = {"rooms": "FP64", "river": "BOOL", "zone": "BYTES"}
    inputs = []
    for name in draw(st.permutations(sorted(fitting))):
        value = draw(st.sampled_from([fitting[name]] * 6 + [cells]).flatmap(lambda chosen: chosen))
        shape = draw(st.sampled_from([[1], [1], [1, 1], [2]]))
        datatype = draw(st.sampled_from([datatypes[name]] * 6 + ["FP32", "INT8", "BOOL", "BF16"]))
        inputs.append({"name": name, "shape": shape, "datatype": datatype, "data": [value]})
    text = json.dumps(
        {"inputs": inputs}
        | draw(st.sampled_from([{}, {}, {"id": "7"}, {"parameters": {"a": "b"}}]))
    )
    return text.replace(
        *draw(st.sampled_from([("", "")] * 4 + [('"zone"', '"rooms"'), ("[1]", "[1, 2]")]))
    ).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("houses") / "houses"
    digest = packages.write(folder)
    return Served.make(load_package(folder), Pointer(model="houses", number=1, sha256=digest))


@given(rooms=st.floats(-1e30, 1e30), river=st.booleans(), zone=st.sampled_from("ab"))
def test_a_plain_row_is_read_quickly(
    served: Served, *, rooms: float, river: bool, zone: str
) -> None:
    values = {"rooms": ("FP64", rooms), "river": ("BOOL", river), "zone": ("BYTES", zone)}
    inputs = [
        {"name": n, "shape": [1], "datatype": datatype, "data": [v]}
        for n, (datatype, v) in values.items()
    ]
    found = read_row(served, json.dumps({"id": "1", "inputs": inputs}).encode())
    assert found
    assert found[1] == (rooms, river, zone)


PLAIN = (
    b'{"inputs": [{"name": "rooms", "shape": [1], "datatype": "FP64", "data": [1]}, '
    b'{"name": "river", "shape": [1], "datatype": "BOOL", "data": [true]}, '
    b'{"name": "zone", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}'
)


@settings(max_examples=300)
@given(one_row())
@example(PLAIN.replace(b"{", b'{"id": "a", "id": "b", ', 1))
@example(PLAIN.replace(b'"data": [1]', b'"data": [1], "data": [2]'))
@example(b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}')
def test_one_row_is_read_as_by_the_array_or_left_alone(served: Served, body: bytes) -> None:
    found = read_row(served, body)
    if found is None:
        return
    asked, cells = found
    expected = read(body, None)
    by_array = rows_of(served, expected, Limits())
    assert (asked.id, asked.outputs, asked.binary) == (
        expected.id,
        expected.outputs,
        expected.binary,
    )
    assert served.encoder.pack(cells) == by_array.x.tobytes()
    assert served.encoder.warnings(cells) == list(by_array.warnings)


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
