"""The Kubeflow adapter on a real Model Registry: what people see there, and what others add."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.registry.ledgers import outcome
from support.serving.proxy import Proxy, Start

pytest.importorskip("mr_openapi")
from support.registry.registry_cases import (
    API,
    STORE,
    A,
    B,
    RegistryCase,
    post_by,
    post_record,
    properties,
    string_value,
)

from registry.chain import link
from registry.kubeflow.records import ServeRecord

pytestmark = pytest.mark.cluster


def test_people_find_one_of_each_object_and_the_champion_deployed(case: RegistryCase) -> None:
    case.direct.create(
        case.promotion(sha256=A, experiment="houses-1", trial="houses-1-x", metric="mse", score=0.5)
    )
    assert case.service()["desiredState"] == "UNDEPLOYED"
    case.direct.close(case.name, 1, outcome())
    (version,) = case.versions()
    assert version["name"] == A[:12]
    assert version["customProperties"]["sha256"]["string_value"] == A
    (artifact,) = case.get(f"/model_versions/{version['id']}/artifacts")["items"]
    assert artifact["uri"] == f"{STORE}/models/{A}"
    assert artifact["modelSourceName"] == "houses-1-x"
    service = case.service()
    assert (service["modelVersionId"], service["desiredState"]) == (version["id"], "DEPLOYED")
    model = case.get("/registered_model", name=case.name)
    assert service["registeredModelId"] == model["id"]


def test_a_reverted_promotion_does_not_show_and_a_rollback_shows_the_older_version(
    case: RegistryCase,
) -> None:
    case.advance(A)
    case.direct.create(case.promotion(2, sha256=B))
    case.direct.close(case.name, 2, outcome("reverted"))
    versions = {version["name"]: version["id"] for version in case.versions()}
    assert case.service()["modelVersionId"] == versions[A[:12]]
    case.advance(B)
    assert case.service()["modelVersionId"] == versions[B[:12]]
    case.direct.create(case.promotion(4, sha256=A, kind="rollback", previous=3))
    case.direct.close(case.name, 4, outcome())
    assert (case.service()["modelVersionId"], case.service()["desiredState"]) == (
        versions[A[:12]],
        "DEPLOYED",
    )
    assert len(case.versions()) == 2


def test_a_package_that_is_promoted_again_has_one_version_and_one_artifact(
    case: RegistryCase,
) -> None:
    case.advance(A, B, A)
    versions = case.versions()
    assert sorted(version["name"] for version in versions) == [A[:12], B[:12]]
    for version in versions:
        assert case.get(f"/model_versions/{version['id']}/artifacts")["size"] == 1


def test_what_others_put_beside_the_records_is_left_alone(case: RegistryCase) -> None:
    case.advance(A)
    before = case.history()
    for name in (
        "canary",
        "promotion-1",
        "promotion-0001.live",
        "promotion-00002",
        "promotion-0002.retry1",
    ):
        post_record(case.url, case.service(), name, {"document": string_value("{}")})
    assert case.history() == before
    case.advance(B)
    assert [entry.promotion.number for entry in case.history()] == [1, 2]


def test_a_long_ledger_is_read_to_its_end(case: RegistryCase, start: Start) -> None:
    case.advance(A)
    service = case.service()
    numbers = range(2, 302)
    head = case.direct.chain(case.name).head
    records = []
    for number in numbers:
        head = link(head, promoted := case.promotion(number))
        records.append(ServeRecord.opening(promoted, "", head))
        head = link(head, closed := outcome())
        records.append(ServeRecord.closing(number, closed, "", head))
    with httpx.Client(base_url=case.url + API) as client, ThreadPoolExecutor(6) as pool:
        list(
            pool.map(
                lambda record: post_by(client, service, record.name, properties(record)), records
            )
        )
    history = case.ledger(start(proxy := Proxy(case.url))).history(case.name)
    assert [entry.promotion.number for entry in history] == list(range(1, 302))
    assert {entry.state for entry in history} == {"live"}
    assert sum("/serves" in path for _, path in proxy.seen) > 1
    case.advance(B)
    assert len(case.history()) == 302
