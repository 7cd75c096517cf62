"""All models of the store, as JSON and as the index of the Open Inference Protocol."""

from pathlib import Path

import httpx
import pytest
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.serving.servers import in_process, put

from api import create_app
from registry import ModelStore, Pointer
from registry.package import ModelPackage

BROWSER = {"Accept": "text/html"}


def test_the_list_has_each_models_version_age_score_and_history(
    tmp_path: Path, toys: list[ModelPackage], flowers: ModelPackage
) -> None:
    site = PromotionSite(tmp_path)
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    put(site.store, flowers)
    site.store.point(Pointer(model="elsewhere", number=4, sha256="a" * 64))
    with in_process(create_app(site.store, "toy", ["flowers", "late"])) as client:
        answer = client.get("/models.json")
        models = {each["name"]: each for each in answer.json()["models"]}
        assert list(models) == ["toy", "flowers", "late", "elsewhere"]
        toy = models["toy"]
        assert (toy["state"], toy["primary"], toy["promotion"]) == ("ready", True, 1)
        assert toy["model_version"] == toys[0].digest
        assert toy["score"] == {"metric": "rmse", "name": "RMSE", "value": 1.5**0.5}
        assert [past["state"] for past in toy["history"]] == ["live"]
        assert toy["decided_at"] == toy["history"][0]["decided_at"]
        assert models["flowers"]["score"]["name"] == "AUC"
        assert (models["late"]["state"], models["late"]["promotion"]) == ("unavailable", None)
        assert models["late"]["reason"] == "nothing has been promoted yet"
        elsewhere = models["elsewhere"]
        assert (elsewhere["state"], elsewhere["promotion"]) == ("not served", 4)
        again = client.get("/models.json", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304


def index(client: httpx.Client, body: bytes = b"") -> httpx.Response:
    return client.post("/v2/repository/index", content=body)


def test_the_index_is_that_of_the_open_inference_protocol(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    store.point(Pointer(model="elsewhere", number=4, sha256="a" * 64))
    with in_process(create_app(store, "toy", ["late"])) as client:
        ready = {"name": "toy", "version": toys[0].digest, "state": "READY", "reason": ""}
        for body in (b"", b"{}", b'{"ready": false}'):
            found = index(client, body).json()
            assert [each["name"] for each in found] == ["toy", "late", "elsewhere"]
            assert found[0] == ready
            assert {each["state"] for each in found[1:]} == {"UNAVAILABLE"}
        assert index(client, b'{"ready": true}').json() == [ready]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"ready": 1}', b'{"colour": true}'])
def test_another_request_is_refused_as_the_protocol_refuses(store: ModelStore, body: bytes) -> None:
    with in_process(create_app(store, "toy")) as client:
        answer = index(client, body)
        assert (answer.status_code, list(answer.json())[-1]) == (422, "error")


def test_a_damaged_pointer_costs_its_own_entry_alone(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    store.pointer_path("broken").write_bytes(b"{")
    with in_process(create_app(store, "toy")) as client:
        models = client.get("/models.json").json()["models"]
        assert [(each["name"], each["promotion"]) for each in models] == [
            ("toy", 1),
            ("broken", None),
        ]


def test_a_models_page_refers_to_files_that_exist(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with in_process(create_app(store, "toy")) as client:
        page = client.get("/models/toy", headers=BROWSER)
        assert page.headers["content-type"].startswith("text/html")
        assert 'src="../static/app.js"' in page.text
        assert 'href="#form"' in page.text
        assert client.get("/models").text.count('src="static/app.js"') == 1


def test_the_pages_need_no_key_and_the_lists_do(
    store: ModelStore, toys: list[ModelPackage], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("secret")
    put(store, toys[0])
    with in_process(create_app(store, "toy", api_key=tmp_path / "key")) as client:
        assert client.get("/models").status_code == 200
        assert client.get("/models/toy").status_code == 200
        assert client.get("/models.json").status_code == 401
        assert index(client).status_code == 401
