"""V1 and V2: what other servers' clients send is answered as the package predicts."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from support.serving.servers import serving

from registry import ModelStore
from registry.package import ModelPackage, load_package
from trainer.dataset import Dataset, load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

VERSION = "X-Model-Version"
ROW: dict[str, Any] = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}
LIST = [80.5, 12.0, "north", True]


@pytest.fixture(scope="module")
def iris(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[httpx.Client, ModelPackage, Dataset]]:
    data = load_dataset("iris")
    recipe = Recipe.make("random_forest", data.spec.task, {"n_estimators": 30}, 0)
    folder = tmp_path_factory.mktemp("iris")
    write_trial(
        folder / "iris", recipe, data, cross_validate(recipe, data, folds=3, seed=0)[0], fold_seed=0
    )
    package = load_package(folder / "iris")
    with serving(ModelStore(folder / "store"), package) as client:
        yield client, package, data


def expected(package: ModelPackage, *rows: dict[str, Any]) -> list[float]:
    return [
        float(v)
        for v in package.predict({name: [row[name] for row in rows] for name in rows[0]})[:, 0]
    ]


def order(package: ModelPackage) -> list[str]:
    return [column.name for column in package.manifest.columns]


def test_a_list_of_rows_is_answered_row_by_row(client: httpx.Client, homes: ModelPackage) -> None:
    other = {**ROW, "size": 21.0}
    answer = client.post("/predict", json=[ROW, other])
    assert [each["predicted_price"] for each in answer.json()] == expected(homes, ROW, other)
    assert {each["model_version"] for each in answer.json()} == {homes.digest}


def test_the_iris_example_of_kserve(iris: tuple[httpx.Client, ModelPackage, Dataset]) -> None:
    client, package, _ = iris
    body = {"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}
    answer = client.post("/v1/models/iris:predict", json=body)
    assert answer.headers[VERSION] == package.digest
    assert answer.json() == {"predictions": [package.manifest.classes[1]] * 2}


def test_v1_takes_rows_as_objects_too(client: httpx.Client, homes: ModelPackage) -> None:
    answer = client.post(
        "/v1/models/homes:predict", json={"instances": [ROW, {**ROW, "age": None}]}
    )
    assert answer.json() == {"predictions": expected(homes, ROW, {**ROW, "age": None})}


def test_v1_says_what_serves(client: httpx.Client) -> None:
    assert client.get("/v1/models").json() == {"models": ["homes"]}
    assert client.get("/v1/models/homes").json() == {"name": "homes", "ready": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/wine"),
        ("POST", "/v1/models/wine:predict"),
        ("GET", "/v2/models/wine"),
        ("GET", "/v2/models/wine/ready"),
        ("POST", "/v2/models/wine/infer"),
    ],
)
def test_another_model_is_not_here(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path, json={})
    assert answer.status_code == 404
    assert "homes" in answer.text


def test_v2_describes_its_tensors(client: httpx.Client, homes: ModelPackage) -> None:
    found = client.get("/v2/models/homes").json()
    assert found["versions"] == [homes.digest]
    assert [(each["name"], each["datatype"]) for each in found["inputs"]] == [
        (name, {"size": "FP64", "age": "FP64", "region": "BYTES", "garden": "BOOL"}[name])
        for name in order(homes)
    ]
    assert found["outputs"] == [{"name": "predicted_price", "datatype": "FP64", "shape": [-1]}]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert (
        client.get("/v2/health/ready").status_code
        == client.get("/v2/models/homes/ready").status_code
        == 200
    )


def column_tensors(**changes: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - parts of a request
    datatypes = {"size": "FP64", "age": "FP32", "region": "BYTES", "garden": "BOOL"}
    return [
        {
            "name": name,
            "shape": [2],
            "datatype": datatype,
            "data": [ROW[name]] * 2,
            **changes.get(name, {}),
        }
        for name, datatype in datatypes.items()
    ]


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_v2_takes_a_tensor_a_column(
    client: httpx.Client, homes: ModelPackage, shape: list[int]
) -> None:
    inputs = column_tensors(
        size={"shape": shape, "data": [[80.5], [21.0]] if len(shape) > 1 else [80.5, 21.0]}
    )
    answer = client.post("/v2/models/homes/infer", json={"id": "7", "inputs": inputs}).json()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == (
        "7",
        "homes",
        homes.digest,
    )
    values = expected(homes, ROW, {**ROW, "size": 21.0})
    assert answer["outputs"] == [
        {"name": "predicted_price", "datatype": "FP64", "shape": [2], "data": values}
    ]


@pytest.mark.parametrize("nested", [False, True])
def test_v2_takes_one_tensor_of_all_columns(
    iris: tuple[httpx.Client, ModelPackage, Dataset], *, nested: bool
) -> None:
    client, package, data = iris
    table = data.holdout.table
    rows = np.column_stack([np.asarray(table[name], dtype=float) for name in order(package)])
    values = rows.tolist() if nested else rows.ravel().tolist()
    tensor = {"name": "input-0", "shape": list(rows.shape), "datatype": "FP64", "data": values}
    answer = client.post("/v2/models/iris/infer", json={"inputs": [tensor]}).json()
    shares = package.predict(table)
    likeliest, probabilities = answer["outputs"]
    assert likeliest["data"] == [package.manifest.classes[i] for i in shares.argmax(axis=1)]
    assert probabilities["shape"] == list(shares.shape)
    assert probabilities["data"] == shares.ravel().tolist()


def test_v2_gives_the_outputs_that_are_asked_for(
    iris: tuple[httpx.Client, ModelPackage, Dataset],
) -> None:
    client, _, _ = iris
    tensor = {"name": "input-0", "shape": [1, 4], "datatype": "FP32", "data": [6.8, 2.8, 4.8, 1.4]}
    asked = {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
    answer = client.post("/v2/models/iris/infer", json=asked).json()
    assert [output["name"] for output in answer["outputs"]] == ["probabilities"]


WRONG: dict[str, Any] = {
    "no inputs": {},
    "inputs of nothing": {"inputs": []},
    "an unknown field": {"inputs": column_tensors(), "input": 1},
    "a column twice": {"inputs": column_tensors() * 2},
    "a column that is missing": {"inputs": column_tensors()[1:]},
    "an unknown column": {"inputs": column_tensors(size={"name": "weight"})},
    "another datatype": {"inputs": column_tensors(size={"datatype": "BYTES"})},
    "a text for a number": {"inputs": column_tensors(size={"data": ["80.5", "1"]})},
    "a shape that does not fit": {"inputs": column_tensors(size={"shape": [3]})},
    "a negative shape": {"inputs": column_tensors(size={"shape": [-1]})},
    "a shape of nothing": {"inputs": column_tensors(size={"shape": [0], "data": []})},
    "no shape": {"inputs": column_tensors(size={"shape": []})},
    "three dimensions": {"inputs": column_tensors(size={"shape": [2, 1, 1]})},
    "a huge shape": {"inputs": column_tensors(size={"shape": [1 << 60]})},
    "lengths that differ": {"inputs": column_tensors(size={"shape": [1], "data": [80.5]})},
    "an unknown output": {"inputs": column_tensors(), "outputs": [{"name": "y"}]},
    "an output without a name": {"inputs": column_tensors(), "outputs": [{}]},
    "one tensor of numbers for texts": {
        "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [1] * 4}]
    },
    "a list": [],
    "a text": "inputs",
}


@pytest.mark.parametrize("document", WRONG.values(), ids=WRONG)
def test_v2_refuses_what_does_not_fit_and_says_why(client: httpx.Client, document: Any) -> None:  # noqa: ANN401
    answer = client.post("/v2/models/homes/infer", json=document)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    assert answer.json()["error"].startswith(answer.json()["title"])


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"instances": []},
        {"instances": {}},
        {"instances": [LIST], "x": 1},
        {"instances": [LIST[1:]]},
        {"rows": []},
    ],
)
def test_v1_refuses_what_does_not_fit(client: httpx.Client, document: Any) -> None:  # noqa: ANN401
    answer = client.post("/v1/models/homes:predict", json=document)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_row_is_named_by_its_place(client: httpx.Client) -> None:
    body = {"instances": [ROW, {**ROW, "size": "80.5"}]}
    errors = client.post("/v1/models/homes:predict", json=body).json()["errors"]
    assert [error["field"] for error in errors] == ["instances[1].size"]


@pytest.mark.parametrize("path", ["/v1/models/homes:predict", "/v2/models/homes/infer"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"inputs": NaN}'])
def test_what_is_not_json_is_refused_everywhere(
    client: httpx.Client, path: str, body: bytes
) -> None:
    assert client.post(path, content=body).status_code == 422


def test_all_routes_are_documented(client: httpx.Client) -> None:
    paths = json.loads(client.get("/openapi.json").text)["paths"]
    assert {"/v1/models/{name}:predict", "/v2/models/{name}/infer", "/predict"} <= paths.keys()
