"""The fast path answers as FastAPI's routes do, and hands on what it is not sure of."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.serving.servers import in_process, put

from api import create_app
from api.middleware.fast_path import FastPath
from registry import ModelStore
from registry.package import ModelPackage

Pair = tuple[httpx.Client, httpx.Client]
OWN = {"x-request-id", "date"}  # of each answer


@pytest.fixture
def pair(store: ModelStore, homes: ModelPackage) -> Iterator[Pair]:
    """Two servers of the same package: with the fast path, and without it."""
    put(store, homes)
    with (
        in_process(FastPath(create_app(store, "homes"))) as fast,
        in_process(create_app(store, "homes")) as plain,
    ):
        yield fast, plain


def rows(package: ModelPackage) -> list[dict[str, Any]]:
    return [dict(row) for row in package.golden.rows]


def tensors(found: list[dict[str, Any]]) -> dict[str, Any]:
    datatypes = {bool: "BOOL", str: "BYTES"}
    inputs = []
    for name in found[0]:
        data = [row[name] for row in found]
        kinds = {type(cell) for cell in data if cell is not None}
        datatype = datatypes.get(kinds.pop(), "FP64")
        inputs.append({"name": name, "shape": [len(data)], "datatype": datatype, "data": data})
    return {"id": "7", "inputs": inputs}


def requests(package: ModelPackage) -> list[tuple[str, bytes]]:
    """Bodies that are right, almost right, and wrong, for each path."""
    found = rows(package)
    whole = [row for row in found if None not in row.values()]
    first = next(iter(found[0]))
    predict = [found[0], found, [found[0]], {**found[0], first: "x"}, {}, [], [found[0], {}]]
    v1 = [{"instances": body} for body in predict] + [{"instances": [list(found[0].values())]}]
    v2 = [tensors(whole[:1]), tensors(whole), tensors(found), {"inputs": []}, {}]
    paths = {
        "/predict": predict,
        "/v1/models/homes:predict": v1,
        "/v2/models/homes/infer": v2,
    }
    return [(path, json.dumps(body).encode()) for path, bodies in paths.items() for body in bodies]


def test_answers_are_the_same_with_and_without_it(pair: Pair, homes: ModelPackage) -> None:
    for path, body in [
        *requests(homes),
        ("/predict", b""),
        ("/predict", b"{"),
        ("/predict?interval=1", b"{}"),
    ]:
        fast, plain = (client.post(path, content=body) for client in pair)
        assert (fast.status_code, fast.content) == (plain.status_code, plain.content), (path, body)
        shown = [{k: v for k, v in each.headers.items() if k not in OWN} for each in (fast, plain)]
        assert shown[0] == shown[1], (path, body)


@pytest.mark.parametrize("content", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_decides_nothing(
    pair: Pair, homes: ModelPackage, content: str | None
) -> None:
    headers = {"Content-Type": content} if content else {}
    body = json.dumps(rows(homes)[0])
    for client in pair:
        assert client.post("/predict", content=body, headers=headers).status_code == 200


def test_what_is_right_never_meets_the_routes(
    pair: Pair, homes: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the routes out of order, the fast path answers all the same."""
    fast, plain = pair
    row = next(row for row in rows(homes) if None not in row.values())

    def broken(*_: object) -> None:
        raise AssertionError("the routes were asked")

    monkeypatch.setattr("api.routes.predict.parse_rows", broken)
    assert fast.post("/predict", json=row).status_code == 200
    assert plain.post("/predict", json=row).status_code == 500
    assert fast.post("/predict", json={}).status_code == 500


def test_it_answers_for_a_model_that_comes_late(store: ModelStore, homes: ModelPackage) -> None:
    with in_process(FastPath(create_app(store, "homes"))) as client:
        assert client.post("/predict", json={}).status_code == 503
        put(store, homes)
        row = rows(homes)[0]
        answer = client.post("/predict", json=row)
        while answer.status_code == 503:
            answer = client.post("/predict", json=row)
        assert answer.headers["x-model-version"] == homes.digest
