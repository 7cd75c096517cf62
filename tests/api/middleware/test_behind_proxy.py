"""A prefix that a proxy adds, pages of other origins, and addresses that a proxy passes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.serving.servers import in_process, put, running

from api import create_app
from api.middleware.behind_proxy import BelowPrefix
from api.middleware.fast_path import FastPath
from registry import ModelStore
from registry.package import ModelPackage

ROW = {"x": 0.25}
OURS = "https://prices.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
ALLOWED = "access-control-allow-origin"


@pytest.fixture(params=[True, False], ids=["fast path", "no fast path"])
def client(
    request: pytest.FixtureRequest, store: ModelStore, toys: list[ModelPackage], tmp_path: Path
) -> Iterator[httpx.Client]:
    put(store, toys[0])
    key = tmp_path / "key"
    key.write_text("secret")
    app = create_app(store, "toy", api_key=key, origins=[OURS])
    whole = FastPath(app) if request.param else app
    with in_process(BelowPrefix(whole, "/a/b")) as found:
        yield found


def ask(client: httpx.Client, path: str, **headers: str) -> httpx.Response:
    return client.post(path, json=ROW, headers={"X-API-Key": "secret", **headers})


def test_a_path_is_answered_with_the_prefix_and_without_it(client: httpx.Client) -> None:
    for path in ("/predict", "/a/b/predict"):
        assert ask(client, path).json()["predicted_y"] == 1.0
    assert ask(client, "/a/predict").status_code == 404
    assert ask(client, "/a/bc/predict").status_code == 404


def test_probes_and_page_need_no_key_below_the_prefix_either(client: httpx.Client) -> None:
    for path in ("/a/b/healthz", "/a/b/readyz", "/a/b", "/a/b/", "/a/b/static/app.js"):
        assert client.get(path).is_success
    assert client.get("/a/b/metrics").status_code == 401


def test_the_document_names_the_prefix_as_its_server(client: httpx.Client) -> None:
    answer = client.get("/a/b/openapi.json", headers={"X-API-Key": "secret"})
    assert answer.json()["servers"] == [{"url": "/a/b"}]


def test_a_page_of_an_origin_that_is_named_may_read_answers_and_refusals(
    client: httpx.Client,
) -> None:
    answer = ask(client, "/predict", Origin=OURS)
    assert answer.is_success
    assert answer.headers[ALLOWED] == OURS
    assert "X-Model-Version" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    refused = ask(client, "/predict", **{"Origin": OURS, "X-API-Key": "wrong"})
    assert (refused.status_code, refused.headers[ALLOWED]) == (401, OURS)


def test_a_page_of_another_origin_may_read_nothing(client: httpx.Client) -> None:
    assert ALLOWED not in ask(client, "/predict", Origin="https://evil.example").headers


def test_what_a_browser_asks_first_is_answered_without_a_key(client: httpx.Client) -> None:
    answer = client.options("/predict", headers={**PREFLIGHT, "Origin": OURS})
    assert (answer.status_code, answer.headers[ALLOWED]) == (200, OURS)
    refused = client.options("/predict", headers={**PREFLIGHT, "Origin": "https://evil.example"})
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert ALLOWED not in refused.headers


def test_without_settings_no_page_of_another_origin_reads_an_answer(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with in_process(FastPath(create_app(store, "toy"))) as client:
        answer = client.post("/predict", json=ROW, headers={"Origin": OURS})
        assert answer.is_success
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert client.options("/predict", headers={**PREFLIGHT, "Origin": OURS}).status_code == 405
        assert "servers" not in client.get("/openapi.json").json()


@pytest.mark.parametrize(
    ("options", "client_address"),
    [({}, "127.0.0.1"), ({"proxies": ["127.0.0.1"], "root_path": "/a/b"}, "192.0.2.7")],
)
def test_an_address_is_believed_from_a_proxy_that_is_named(
    store: ModelStore, toys: list[ModelPackage], options: dict[str, Any], client_address: str
) -> None:
    put(store, toys[0])
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Request-ID": "mine"}
    path = options.get("root_path", "") + "/predict"
    with running(store, "toy", access_log=True, **options) as server:
        assert server.client.post(path, json=ROW, headers=headers).is_success
        assert server.process.stdout
        lines = map(json.loads, iter(server.process.stdout.readline, b""))
        line = next(each for each in lines if each["request_id"] == "mine")
    assert (line["client"], line["path"]) == (client_address, "/predict")
