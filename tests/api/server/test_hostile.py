"""Hostile requests: each is refused quickly, and others are answered meanwhile."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.patience import patience
from support.registry.package_variants import tiny, variant
from support.serving.load import connect_to
from support.serving.servers import PATIENCE, Running, await_true, put, running

from registry import ModelStore
from registry.package import COLUMN_KINDS, ModelPackage

ROW = {"x": 0.25}
V2 = "/v2/models/toy/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    store = ModelStore(tmp_path_factory.mktemp("hostile") / "store")
    put(store, tiny(tmp_path_factory.mktemp("toy") / "toy"))
    with running(store, "toy", access_log=True, limits={"requests": 8, "seconds": 1.0}) as found:
        yield found


def infer_body(shape: list[int]) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP64", "shape": shape, "data": [0.25]}]}


def test_a_body_of_which_nothing_comes_is_not_waited_for(server: Running) -> None:
    with connect_to(server) as one:
        one.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 408")


def test_heads_without_bodies_do_not_keep_others_out(server: Running) -> None:
    heads = [connect_to(server) for _ in range(8)]
    for each in heads:
        each.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
    await_true(lambda: server.client.post("/predict", json=ROW).is_success, "a free place again")
    for each in heads:  # or those that have not arrived yet would keep the next test out
        with each:
            assert each.recv(1 << 16).startswith((b"HTTP/1.1 408", b"HTTP/1.1 503"))
    await_true(
        lambda: server.client.post("/predict", json=ROW).is_success, "a free place for others"
    )


HUGE_SIZE = {"binary_data_size": 10**4299}
HUGE: dict[str, dict[str, Any]] = {
    "many huge sizes": infer_body([2**62] * 20_000),
    "sizes of 4300 digits": infer_body([10**4299] * 2),
    "a size too large": infer_body([2**31 + 1]),
    "too many sizes": infer_body([1, 1, 1, 1, 1, 1, 1, 1, 1]),
    "bytes": {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "parameters": HUGE_SIZE}]},
    "inputs": {"inputs": [0] * 200_000},
    "none": {"inputs": []},
}


@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_huge_shapes_are_refused_at_once_and_in_few_words(
    server: Running, body: dict[str, Any]
) -> None:
    answer = server.client.post(V2, content=json.dumps(body))
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < 50_000
    assert answer.json()["error"]


def test_sizes_of_bytes_that_no_number_can_be_are_refused(server: Running) -> None:
    tensor = b'{"name":"x","datatype":"FP64","shape":[1],"parameters":{"binary_data_size":%s}}'
    text = b'{"inputs":[' + tensor % (b"9" * 4300) + b"]}"
    for headers in ({}, {"Inference-Header-Content-Length": str(len(text))}):
        answer = server.client.post(V2, content=text + b"x" * 8 * bool(headers), headers=headers)
        assert 400 <= answer.status_code < 500


def test_very_many_brackets_are_refused_before_they_are_read(server: Running) -> None:
    for path, text in (
        ("/predict", b"[" + b"[]," * 2_000_000 + b"[]]"),
        ("/v1/models/toy:predict", b'{"instances":[' + b"[0]," * 2_000_000 + b"[0]]}"),
        (V2, b'{"inputs":[' + b"{}," * 2_000_000 + b"{}]}"),
    ):
        assert server.client.post(path, content=text).status_code == 413


def test_a_trace_that_is_no_text_costs_no_request_its_line(server: Running) -> None:
    trace = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01-\xff"
    httpx.post(
        f"{server.url}/predict",
        json=ROW,
        headers=[(b"traceparent", trace), (b"x-request-id", b"bad-trace")],
    )
    httpx.post(f"{server.url}/predict", json=ROW, headers={"x-request-id": "victim"})
    assert server.process.stdout
    seen: set[str] = set()
    deadline = time.monotonic() + PATIENCE
    while not {"bad-trace", "victim"} <= seen and time.monotonic() < deadline:
        seen.add(json.loads(server.process.stdout.readline())["request_id"])
    assert {"bad-trace", "victim"} <= seen


def test_compressed_bodies_are_refused_as_such(server: Running) -> None:
    for path in ("/predict", "/v1/models/toy:predict", V2):
        answer = server.client.post(path, content=b"{}", headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 415


def test_open_inference_has_its_own_errors_whoever_refuses(server: Running) -> None:
    for answer in (
        server.client.get(V2),
        server.client.get("/v2/nothing"),
        server.client.post(V2, content=b"{"),
    ):
        assert answer.json()["error"]


def test_an_answer_that_no_client_reads_gives_up_its_place(server: Running) -> None:
    body = json.dumps([ROW] * 60_000).encode()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)

    def ask() -> socket.socket:
        one = connect_to(server)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.sendall(head + body)
        return one

    idle = [ask() for _ in range(6)]
    await_true(lambda: server.client.post("/predict", json=ROW).is_success, "an answer meanwhile")
    for each in idle:
        each.close()


def test_rows_count_by_what_is_answered_for_each(store: ModelStore, flowers: ModelPackage) -> None:
    put(store, flowers)
    row = flowers.golden.rows[0]
    with running(store, "flowers", limits={"rows": 9}) as server:
        assert server.client.post("/predict", json=[row] * 3).is_success
        assert server.client.post("/predict", json=[row] * 4).status_code == 413


def test_two_models_keep_the_types_of_their_classes(
    store: ModelStore, flowers: ModelPackage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("kinds")
    put(store, variant(flowers, folder / "a", classes=(False, True, "c")))
    with running(store, "flowers") as server:
        row = dict(flowers.golden.rows[0])
        inputs = [
            {
                "name": column.name,
                "shape": [1],
                "datatype": COLUMN_KINDS[column.kind].tensor_datatype,
                "data": [row[column.name]],
            }
            for column in flowers.manifest.columns
        ]
        assert server.client.post("/v2/models/flowers/infer", json={"inputs": inputs}).is_success
        put(store, variant(flowers, folder / "b", classes=(0, 1, 2)), number=2)
        server.await_version(promotion=2)
        answer = server.client.post("/v2/models/flowers/infer", json={"inputs": inputs}).json()
        output = answer["outputs"][0]
        assert (output["datatype"], type(output["data"][0])) == ("INT64", int)


def test_small_requests_are_answered_next_to_a_hostile_one(server: Running) -> None:
    worst = [0.0]
    stop = threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            while not stop.is_set():
                start = time.monotonic()
                client.get("/healthz")
                worst[0] = max(worst[0], time.monotonic() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    server.client.post(V2, content=json.dumps(infer_body([2**62] * 40_000)))
    stop.set()
    watcher.join()
    assert worst[0] < patience(10)
