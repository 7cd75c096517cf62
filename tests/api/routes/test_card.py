"""The page as files and JSON; what it does in a browser is in tests/page."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.serving.servers import in_process, put, serving

from api import create_app
from registry import ModelStore
from registry.package import Draft, ModelPackage, load_package, write_package

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def client(store: ModelStore, homes: ModelPackage) -> Iterator[httpx.Client]:
    with serving(store, homes) as found:
        yield found


def card(client: httpx.Client, name: str = "homes") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/models/{name}/card").raise_for_status().json()
    return found


def page(client: httpx.Client) -> httpx.Response:
    """Ask for the page as a browser does."""
    return client.get("/", headers=BROWSER)


def names(client: httpx.Client) -> list[str]:
    """Return what the page refers to, and what the scripts import."""
    found = re.findall(r'(?:href|src)="(static/[^"]+)"', page(client).text)
    for name in found:
        if name.endswith(".js"):
            imported = re.findall(r'from "\./([^"]+)"', client.get(f"/{name}").text)
            found += [f"static/{each}" for each in imported if f"static/{each}" not in found]
    return found


def test_the_page_is_html_and_all_it_refers_to_is_there(client: httpx.Client) -> None:
    answer = page(client)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    kinds = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    found = names(client)
    assert len(found) > 5
    for name in found:
        assert client.get(f"/{name}").headers["content-type"].startswith(kinds[Path(name).suffix])


def test_head_says_what_get_would_without_the_body(client: httpx.Client) -> None:
    for path in ("/", "/static/app.js"):
        got = client.get(path, headers=BROWSER)
        head = client.head(path, headers=BROWSER)
        assert (head.status_code, head.content) == (200, b"")
        for header in ("content-type", "content-length", "etag", "content-security-policy"):
            assert head.headers[header] == got.headers[header]


def test_who_does_not_ask_for_a_page_is_told_that_the_server_is_alive(client: httpx.Client) -> None:
    """As KServe's V1 clients ask; a cache must not mix up the two."""
    for headers in ({}, {"Accept": "application/json"}):
        answer = client.get("/", headers=headers)
        assert (answer.json(), answer.headers["vary"]) == ({"status": "alive"}, "Accept")
    assert page(client).headers["vary"] == "Accept"


def test_nothing_comes_from_elsewhere_and_no_script_stands_in_the_document(
    client: httpx.Client,
) -> None:
    answer = page(client)
    policy = dict(
        each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", answer.text)
    for name in ["", *names(client)]:
        elsewhere = re.findall(r"https?://[^\s\"'`]+", client.get(f"/{name}", headers=BROWSER).text)
        assert set(elsewhere) <= {"http://www.w3.org/2000/svg"}  # a name, not an address


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/v1/models/homes/card"])
def test_what_a_browser_has_is_not_sent_again(client: httpx.Client, path: str) -> None:
    first = client.get(path, headers=BROWSER)
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(
        path, headers={**BROWSER, "If-None-Match": f'"other", W/{first.headers["etag"]}'}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get(path, headers={**BROWSER, "If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/", "/static/nothing.js", "/static/../app.py", "/static/%2e%2e/app.py"]
)
def test_only_the_pages_own_files_are_sent(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_card_tells_what_the_package_says(client: httpx.Client, homes: ModelPackage) -> None:
    found = card(client)
    manifest = json.loads(homes.manifest.to_json())
    assert (found["model_version"], found["promotion"], found["size"]) == (
        homes.digest,
        1,
        homes.size,
    )
    shared = found.keys() & manifest.keys()
    assert {
        "columns",
        "parameters",
        "seed",
        "fingerprint",
        "versions",
        "provenance",
        "cross_validation",
    } <= shared
    assert {name: found[name] for name in shared} == {name: manifest[name] for name in shared}
    assert found["text"] == (homes.path / "card.md").read_text()
    assert found["history"] is None


def test_the_card_tells_what_the_model_said_of_rows_it_never_saw(
    store: ModelStore, homes: ModelPackage, tmp_path: Path
) -> None:
    interval = {"coverage": 0.9, "half_width": 2.5, "measured": 0.88}
    fields = {**homes.manifest.to_dict(), "interval": interval}
    residuals = np.array([[1.0, 2.5], [3.0, 2.0]])
    write_package(
        tmp_path / "told",
        Draft(fields, homes.forest, homes.rows, homes.golden.rows, "a card", residuals),
    )
    with serving(store, load_package(tmp_path / "told")) as client:
        found = card(client)
    assert found["residuals"] == [[1.0, 2.5], [3.0, 2.0]]
    assert found["interval"].items() >= interval.items()


def test_a_package_without_them_says_so(store: ModelStore, toys: list[ModelPackage]) -> None:
    with serving(store, toys[0]) as client:
        found = card(client, "toy")
    assert (found["residuals"], found["interval"]) == (None, None)


def test_the_card_tells_the_history_that_promotion_left_in_the_store(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    site = PromotionSite(tmp_path)
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    with in_process(create_app(site.store, "toy")) as client:
        first = client.get("/v1/models/toy/card")
        assert [past["state"] for past in first.json()["history"]] == ["live"]
        site.smoke.passes = False
        with pytest.raises(Exception, match="reverted"):
            site.promoter().promote(
                toys[1], promoting_verdict(toys[1], toys[0], reasons=("better",))
            )
        second = client.get("/v1/models/toy/card", headers={"If-None-Match": first.headers["etag"]})
        assert second.status_code == 200
        assert [(past["state"], past["reasons"]) for past in second.json()["history"]][1] == (
            "reverted",
            ["better"],
        )


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b'{"format": 9, "model": "homes", "entries": []}']
)
def test_a_damaged_history_costs_the_history_alone(
    client: httpx.Client, store: ModelStore, content: bytes
) -> None:
    store.history_path("homes").write_bytes(content)
    assert card(client)["history"] is None
    assert client.get("/readyz").is_success


def test_the_card_is_documented_and_is_as_documented(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/{name}/card"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(card(client))
    assert "/" not in document["paths"]


def test_a_model_by_name_answers_as_predict_does(
    store: ModelStore, homes: ModelPackage, flowers: ModelPackage
) -> None:
    put(store, homes)
    put(store, flowers)
    row = {column.name: column.typical for column in flowers.manifest.columns}
    with (
        in_process(create_app(store, "homes", ["flowers"])) as client,
        in_process(create_app(store, "flowers")) as own,
    ):
        for body in (row, [row, row], {}, []):
            named = client.post("/v1/models/flowers/predict", json=body)
            plain = own.post("/predict", json=body)
            assert (named.status_code, named.json()) == (plain.status_code, plain.json())
            assert named.headers.get("X-Model-Version") == plain.headers.get("X-Model-Version")
        assert client.post("/v1/models/nobody/predict", json=row).status_code == 404


def test_of_other_models_there_is_no_card(client: httpx.Client) -> None:
    answer = client.get("/v1/models/nobody/card")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_before_the_first_promotion_there_is_a_page_and_no_card(store: ModelStore) -> None:
    with in_process(create_app(store, "toy")) as client:
        assert page(client).headers["content-type"].startswith("text/html")
        assert client.get("/v1/models/toy/card").status_code == 503


def test_the_page_needs_no_key_and_the_card_does(
    store: ModelStore, homes: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("secret")
    put(store, homes)
    with in_process(create_app(store, "homes", api_key=tmp_path / "key")) as client:
        for name in ["", *names(client)]:
            assert client.get(f"/{name}").status_code == 200
        assert client.get("/v1/models/homes/card").status_code == 401
        assert (
            client.get("/v1/models/homes/card", headers={"X-API-Key": "secret"}).status_code == 200
        )
