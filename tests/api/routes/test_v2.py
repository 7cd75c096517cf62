"""V2 as its clients expect it.

Versions, ids, what is ignored, faults that name the value, and large requests.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from support.registry.package_variants import tiny, variant
from support.serving.servers import PATIENCE, in_process, put, serving

from api import create_app
from api.limits import Limits
from registry import ModelStore
from registry.package import ModelPackage

ROW: dict[str, Any] = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
DATATYPES = {"size": "FP64", "age": "FP32", "region": "BYTES", "garden": "BOOL"}
INFER = "/v2/models/homes/infer"


def tensors(*rows: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - parts of a request
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": datatype,
            "data": [row[name] for row in rows],
            **changes.get(name, {}),
        }
        for name, datatype in DATATYPES.items()
    ]


def expected(package: ModelPackage, *rows: dict[str, Any]) -> list[float]:
    return package.predict({name: [row[name] for row in rows] for name in rows[0]})[:, 0].tolist()


@pytest.mark.parametrize("part", ["", "/ready", "/infer"])
def test_a_version_is_a_digest_or_a_promotion(
    client: httpx.Client, homes: ModelPackage, part: str
) -> None:
    def answer(version: str) -> httpx.Response:
        path = f"/v2/models/homes/versions/{version}{part}"
        return (
            client.post(path, json={"inputs": tensors(ROW)})
            if part == "/infer"
            else client.get(path)
        )

    plain = (
        client.post(INFER, json={"inputs": tensors(ROW)})
        if part == "/infer"
        else client.get(f"/v2/models/homes{part}")
    )
    assert answer(homes.digest).json() == answer("1").json() == plain.json()
    for other in ("2", "01", homes.digest[:12]):
        assert answer(other).status_code == 404
        assert homes.digest in answer(other).json()["error"]


def test_the_server_says_what_it_can(client: httpx.Client) -> None:
    found = client.get("/v2").json()
    assert (found["name"], found["extensions"]) == ("tunegate", ["binary_tensor_data"])


def test_parameters_are_ignored_and_so_is_the_model_s_name(
    client: httpx.Client, homes: ModelPackage
) -> None:
    inputs = tensors(ROW, size={"parameters": {"content_type": "np"}})
    outputs = [{"name": "predicted_price", "parameters": {"content_type": "np"}}]
    more = {
        "parameters": {"priority": 1, "headers": {"a": "b"}},
        "model_name": "homes",
        "model_version": "1",
    }
    answer = client.post(INFER, json={"inputs": inputs, "outputs": outputs, **more}).json()
    assert answer["outputs"][0]["data"] == expected(homes, ROW)


def test_null_is_missing_where_training_had_gaps(client: httpx.Client, homes: ModelPackage) -> None:
    gap = {**ROW, "age": None}
    answer = client.post(INFER, json={"inputs": tensors(ROW, gap)}).json()
    assert answer["outputs"][0]["data"] == expected(homes, ROW, gap)


def test_order_and_integers_do_not_matter(client: httpx.Client, homes: ModelPackage) -> None:
    inputs = tensors(
        {**ROW, "size": 80, "age": 12}, size={"datatype": "INT32"}, age={"datatype": "UINT8"}
    )
    answer = client.post(INFER, json={"inputs": inputs[::-1]}).json()
    assert answer["outputs"][0]["data"] == expected(homes, {**ROW, "size": 80.0})


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a text": ({"size": {"data": [1, "0.5"]}}, "size[1]: is a text"),
    "true": ({"size": {"data": [1, True]}}, "size[1]: is true or false"),
    "null": ({"size": {"data": [1, None]}}, "size[1]: is missing"),
    "NaN": ({"age": {"data": [1, float("nan")]}}, "age[1]: is not finite"),
    "infinity": ({"age": {"data": [1, float("-inf")]}}, "age[1]: is not finite"),
    "an integer beyond float64": ({"size": {"data": [1, 10**400]}}, "size[1]: is too large"),
    "beyond float32": ({"size": {"data": [1, 3.5e38]}}, "size[1]: is too large"),
    "one for a flag": ({"garden": {"data": [True, 1]}}, "garden[1]: is a number"),
    "no flag": ({"garden": {"data": [True, None]}}, "garden[1]: is missing"),
    "a number for a text": ({"region": {"data": ["north", 1]}}, "region[1]: is a number"),
    "an unknown category": (
        {"region": {"data": ["north", "west"]}},
        "region[1]: 'west' is no category",
    ),
    "no category": ({"region": {"data": ["north", None]}}, "region[1]: null is no category"),
    "half a surrogate pair": ({"region": {"data": ["north", "\ud800"]}}, "region[1]: has half"),
    "a fraction": ({"size": {"datatype": "INT8", "data": [1, 0.5]}}, "size[1]: does not fit INT8"),
    "an integer too large": (
        {"size": {"datatype": "INT8", "data": [1, 128]}},
        "size[1]: does not fit INT8",
    ),
    "a negative one": (
        {"size": {"datatype": "UINT64", "data": [1, -1]}},
        "size[1]: does not fit UINT64",
    ),
    "an object": ({"size": {"data": [1, {}]}}, "size[1]: is an object"),
    "ragged": ({"size": {"shape": [2, 1], "data": [[1], [2, 3]]}}, "size: is not nested as"),
    "nested too deep": ({"size": {"data": [[1], [2]]}}, "size[0]: is a list"),
    "half nested": ({"size": {"shape": [2, 1], "data": [[1], 2]}}, "size: is not nested as"),
    "an unknown datatype": ({"size": {"datatype": "BF16"}}, "size: has datatype BF16"),
    "no data": ({"size": {"data": None}}, "size: needs data"),
    "a size without bytes": (
        {"size": {"data": None, "parameters": {"binary_data_size": 16}}},
        "add up to 16",
    ),
    "data and a size": ({"size": {"parameters": {"binary_data_size": 16}}}, "size: has data, and"),
}


@pytest.mark.parametrize(("changes", "text"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_the_tensor_and_the_value(
    client: httpx.Client, changes: dict[str, Any], text: str
) -> None:
    document = json.dumps({"inputs": tensors(ROW, ROW, **changes)})
    answer = client.post(INFER, content=document)
    assert answer.status_code == 422
    assert text in answer.json()["error"]


MORE: dict[str, bytes] = {
    "a field twice": b'{"id": "a", "id": "b", "inputs": %s}',
    "a name that is no text": b'{"id": "\\ud800", "inputs": %s}',
    "outputs that are no list": b'{"outputs": {"name": "predicted_price"}, "inputs": %s}',
    "an output twice": (
        b'{"outputs": [{"name": "predicted_price"}, {"name": "predicted_price"}], "inputs": %s}'
    ),
    "a flag that is none": b'{"parameters": {"binary_data_output": 1}, "inputs": %s}',
    "more after it": b'{"inputs": %s} {}',
}


@pytest.mark.parametrize("text", MORE.values(), ids=MORE)
def test_requests_that_do_not_fit_otherwise(client: httpx.Client, text: bytes) -> None:
    answer = client.post(INFER, content=text % json.dumps(tensors(ROW)).encode())
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]


def test_a_value_in_one_tensor_is_named_by_row_and_column(flowers_client: httpx.Client) -> None:
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, None, 4]}
    answer = flowers_client.post("/v2/models/flowers/infer", json={"inputs": [tensor]})
    assert "x[1, 0]: is missing" in answer.json()["error"]


def test_values_outside_of_the_training_range_are_named_up_to_twenty(
    client: httpx.Client, homes: ModelPackage
) -> None:
    rows = [{**ROW, "size": 1e6 + i} for i in range(30)]
    answer = client.post(INFER, json={"inputs": tensors(ROW, *rows)})
    assert answer.json()["outputs"][0]["data"] == expected(homes, ROW, *rows)
    named = answer.headers["X-Model-Warning"].split("; ")
    assert len(named) == 20
    assert named[0].startswith("size=1e+06 outside")


def flowers_tensor(n: int) -> dict[str, Any]:
    x = np.random.default_rng(0).normal(size=(n, 2))
    return {"name": "x", "shape": [n, 2], "datatype": "FP64", "data": x.ravel().tolist()}


def test_ten_thousand_rows(flowers_client: httpx.Client, flowers: ModelPackage) -> None:
    tensor = flowers_tensor(10_000)
    answer = flowers_client.post("/v2/models/flowers/infer", json={"inputs": [tensor]}).json()
    x = np.reshape(tensor["data"], (-1, 2))
    shares = flowers.predict(
        {column.name: x[:, i] for i, column in enumerate(flowers.manifest.columns)}
    )
    assert answer["outputs"][1]["data"] == shares.ravel().tolist()
    assert answer["outputs"][0]["data"] == [
        flowers.manifest.classes[i] for i in shares.argmax(axis=1)
    ]


def test_a_small_request_need_not_wait_for_a_large_one(
    store: ModelStore, flowers: ModelPackage
) -> None:
    begun = Event()
    go_on = Event()

    class Waiting:
        def row(self, *_: object) -> None:
            """Let one row pass."""

        def rows(self, _: object, x: object, predicted: NDArray[np.float64]) -> None:
            if len(predicted) > 1:
                begun.set()
                assert go_on.wait(PATIENCE)

    put(store, flowers)
    app = create_app(store, "flowers")
    app.state.serving.slot.listeners.append(Waiting())
    path = "/v2/models/flowers/infer"
    with in_process(app) as client, ThreadPoolExecutor() as pool:
        large = pool.submit(client.post, path, json={"inputs": [flowers_tensor(1100)]})
        assert begun.wait(PATIENCE)
        assert client.post(path, json={"inputs": [flowers_tensor(1)]}).status_code == 200
        assert not large.done()
        go_on.set()
        assert large.result(PATIENCE).status_code == 200


def test_more_rows_than_allowed_are_refused(store: ModelStore, flowers: ModelPackage) -> None:
    put(store, flowers)
    with in_process(create_app(store, "flowers", limits=Limits(rows=6))) as client:
        codes = [
            client.post(
                "/v2/models/flowers/infer", json={"inputs": [flowers_tensor(n)]}
            ).status_code
            for n in (2, 3)
        ]
    assert codes == [200, 413]


@pytest.mark.parametrize("classes", [(False, True), (3, 7), ("no", "ja ü")])
def test_classes_have_a_datatype_of_their_own(
    store: ModelStore, tmp_path: Path, classes: tuple[Any, ...]
) -> None:
    more = {
        "task": "classification",
        "metric": "log_loss",
        "classes": classes,
        "output": {"link": "logistic"},
    }
    package = tiny(tmp_path / "toy", low=-1.0, **more)
    tensor = {"name": "x", "shape": [2], "datatype": "FP32", "data": [0.25, 0.75]}
    with serving(store, package) as client:
        found = client.post("/v2/models/toy/infer", json={"inputs": [tensor]}).json()["outputs"][0]
    assert (found["datatype"], found["data"]) == (
        {bool: "BOOL", int: "INT64"}.get(type(classes[0]), "BYTES"),
        list(classes),
    )


def test_an_interval_is_given_by_its_name(tmp_path: Path, homes: ModelPackage) -> None:
    package = variant(
        homes, tmp_path / "wide", interval={"coverage": 0.9, "half_width": 2.5, "measured": 0.9}
    )
    asked = {"inputs": tensors(ROW, {**ROW, "size": 21.0})}
    named = asked | {"outputs": [{"name": "interval"}, {"name": "predicted_price"}]}
    with serving(ModelStore(tmp_path / "store"), package) as wide:
        assert len(wide.post(INFER, json=asked).json()["outputs"]) == 1
        interval, predicted = wide.post(INFER, json=named).json()["outputs"]
    assert interval["shape"] == [2, 2]
    assert interval["data"] == [
        end for value in predicted["data"] for end in (value - 2.5, value + 2.5)
    ]


def test_without_a_stated_interval_there_is_none(tmp_path: Path, homes: ModelPackage) -> None:
    package = variant(homes, tmp_path / "plain", interval=None)
    with serving(ModelStore(tmp_path / "store"), package) as plain:
        answer = plain.post(INFER, json={"inputs": tensors(ROW), "outputs": [{"name": "interval"}]})
    assert answer.status_code == 422
    assert "no output 'interval'; there are predicted_price" in answer.json()["error"]
