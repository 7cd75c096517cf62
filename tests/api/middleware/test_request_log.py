"""Every request has an id, is counted, and is written down where that is asked for."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families
from support.serving.servers import Running, await_true, put, running

from api.serving.metrics import Tally
from registry import ModelStore, Pointer
from registry.package import ModelPackage

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ROW = {"x": 0.25}


@pytest.fixture
def server(store: ModelStore, toys: list[ModelPackage]) -> Iterator[Running]:
    put(store, toys[0])
    with running(store, "toy", access_log=True) as found:
        yield found


def lines(server: Running, n: int) -> list[dict[str, Any]]:
    """Read the next lines of the access log about predictions."""
    assert server.process.stdout
    found: list[dict[str, Any]] = []
    while len(found) < n:
        line = json.loads(server.process.stdout.readline())
        found += [line] if line["path"] != "/healthz" else []
    return found


def samples(server: Running) -> dict[tuple[str, ...], float]:
    """Read `/metrics`: the name and the labels' values -> the value."""
    answer = server.client.get("/metrics").raise_for_status()
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_an_id_comes_back_and_one_is_made_where_there_is_none(server: Running) -> None:
    for path, content in (
        ("/predict", ROW),
        ("/v1/models/toy:predict", {"instances": [ROW]}),
        ("/nowhere", {}),
    ):
        answer = server.client.post(path, json=content, headers={"X-Request-ID": "mine-1"})
        assert answer.headers.get_list("x-request-id") == ["mine-1"]
    made = {server.client.post("/predict", json=ROW).headers["x-request-id"] for _ in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
def test_an_id_that_would_spoil_a_log_is_replaced(server: Running, name: str) -> None:
    answer = server.client.post("/predict", json=ROW, headers={"X-Request-ID": name})
    assert answer.headers["x-request-id"] not in {name, ""}


def test_a_line_of_json_is_written_for_each_request(
    server: Running, toys: list[ModelPackage]
) -> None:
    headers = {"X-Request-ID": "mine-2", "traceparent": TRACE}
    server.client.post("/predict", json=ROW, headers=headers)
    server.client.post("/predict", json={"x": "0.25"}, headers={"traceparent": "00-zz-1-01"})
    server.client.get('/now"here', headers={"X-Request-ID": "mine-3"})
    good, bad, lost = lines(server, 3)
    assert (good["method"], good["path"], good["status"]) == ("POST", "/predict", 200)
    assert (good["request_id"], good["model_version"]) == ("mine-2", toys[0].digest)
    assert (good["trace_id"], good["span_id"]) == (TRACE[3:35], TRACE[36:52])
    assert 0 < good["seconds"] < 20
    assert (bad["status"], "trace_id" in bad) == (422, False)
    assert (lost["status"], lost["path"], lost["request_id"]) == (404, '/now"here', "mine-3")


def test_what_the_short_way_refuses_has_an_id_and_a_line_too(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with running(store, "toy", access_log=True, limits={"body": 100}) as server:
        answer = server.client.post(
            "/predict", content=b" " * 101, headers={"X-Request-ID": "large"}
        )
        assert (answer.status_code, answer.headers["x-request-id"]) == (413, "large")
        line = lines(server, 1)[0]
        assert (line["request_id"], line["status"], "model_version" in line) == (
            "large",
            413,
            False,
        )
        assert (
            samples(server)["http_request_duration_seconds_count", "POST", "/predict", "413"] == 1
        )


def test_a_request_that_is_handed_on_is_counted_once_and_whole(server: Running) -> None:
    server.client.post("/predict", json={"x": "wrong"}, headers={"X-Request-ID": "mine-4"})
    server.client.post("/predict", json=ROW)
    first, second = lines(server, 2)
    assert (first["request_id"], first["status"], second["status"]) == ("mine-4", 422, 200)
    assert samples(server)["http_request_duration_seconds_count", "POST", "/predict", "422"] == 1


def test_requests_and_predictions_are_counted(server: Running, toys: list[ModelPackage]) -> None:
    for _ in range(3):
        server.client.post("/predict", json=ROW)
    server.client.post("/predict", json=[ROW] * 5)
    server.client.post("/v1/models/toy:predict", json={"instances": [[0.25]] * 100})
    server.client.post("/predict", json={})
    for path in ("/a", "/b", "/c"):
        server.client.get(path)
    found = samples(server)
    digest = toys[0].digest
    assert found["http_request_duration_seconds_count", "POST", "/predict", "200"] == 4
    assert found["http_request_duration_seconds_count", "POST", "/predict", "422"] == 1
    assert (
        found["http_request_duration_seconds_count", "POST", "/v1/models/{name}:predict", "200"]
        == 1
    )
    assert found["http_request_duration_seconds_count", "GET", "unmatched", "404"] == 3
    assert found["tunegate_rows_total", "toy", digest] == 108
    assert found["tunegate_model_promotion", "toy"] == 1
    assert found["tunegate_model_refused", "toy"] == 0
    assert ("tunegate_model_info", "toy", digest) in found
    # The toy answers 1.0, and its target ranged from 0 to 100.
    assert found["tunegate_prediction_place_bucket", "0.0", "toy", digest] == 0
    assert found["tunegate_prediction_place_bucket", "0.1", "toy", digest] >= 4


def test_classes_are_counted(store: ModelStore, flowers: ModelPackage) -> None:
    put(store, flowers)
    with running(store, "flowers") as server:
        answer = server.client.post("/predict", json=flowers.golden.rows[0]).json()
        assert (
            samples(server)[
                "tunegate_predicted_class_total",
                "flowers",
                answer["predicted_kind"],
                flowers.digest,
            ]
            == 1
        )


def test_a_refused_package_and_a_swap_are_seen(
    store: ModelStore, server: Running, toys: list[ModelPackage]
) -> None:
    put(store, toys[1], number=2)
    await_true(
        lambda: samples(server)["tunegate_model_promotion", "toy"] == 2, "the swap to be counted"
    )
    store.point(Pointer(model="toy", number=3, sha256="0" * 64))
    await_true(
        lambda: samples(server)["tunegate_model_refused", "toy"] == 1, "the refusal to be counted"
    )
    assert samples(server)["tunegate_model_promotion", "toy"] == 2


def test_a_reader_that_is_gone_does_not_stop_the_server(server: Running) -> None:
    assert server.process.stdout
    server.process.stdout.close()
    with httpx.Client(base_url=server.url) as client:
        await_true(lambda: client.post("/predict", json=ROW).status_code == 200, "an answer")
        assert (
            samples(server)["http_request_duration_seconds_count", "POST", "/predict", "200"] >= 1
        )


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_many_observations_at_once_count_as_one_by_one(amounts: list[float]) -> None:
    """The bounds themselves among them: a bucket takes in its own bound."""
    amounts += [-0.5, 0.0, 1.0, 2.5]
    registry = CollectorRegistry()
    together = Tally("together", "", buckets=(0.0, 1.0, 2.5), registry=registry)
    single = Histogram("single", "", buckets=(0.0, 1.0, 2.5), registry=registry)
    together.observe_all(amounts)
    for amount in amounts:
        single.observe(amount)
    for le in ("0.0", "1.0", "2.5", "+Inf"):
        assert registry.get_sample_value(
            "together_bucket", {"le": le}
        ) == registry.get_sample_value("single_bucket", {"le": le})
    assert registry.get_sample_value("together_sum") == pytest.approx(
        registry.get_sample_value("single_sum")
    )
