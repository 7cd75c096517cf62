"""A server that has too much to do says so, and goes on with what it has."""

import socket
import time
from collections.abc import Iterator

import pytest
from support.serving.servers import PATIENCE, Running, await_true, put, running

from registry import ModelStore
from registry.package import ModelPackage

ROW = {"x": 0.25}
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"


@pytest.fixture
def server(store: ModelStore, toys: list[ModelPackage]) -> Iterator[Running]:
    put(store, toys[0])
    with running(
        store, "toy", limits={"body": 2000, "rows": 10, "requests": 2, "seconds": 0.5}
    ) as found:
        yield found


def connected(server: Running) -> socket.socket:
    return socket.create_connection(
        ("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=PATIENCE
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/predict", [ROW] * 11),
        ("/predict", [ROW] * 10 + [{"x": "wrong"}]),
        ("/v1/models/toy:predict", {"instances": [[0.25]] * 11}),
        (
            "/v2/models/toy/infer",
            {"inputs": [{"name": "x", "shape": [11], "datatype": "FP64", "data": [0.25] * 11}]},
        ),
    ],
)
def test_too_many_rows_are_refused(server: Running, path: str, content: object) -> None:
    answer = server.client.post(path, json=content)
    assert answer.status_code == 413
    assert "at most 10" in answer.text


def test_as_many_rows_as_allowed_are_answered(server: Running) -> None:
    assert len(server.client.post("/predict", json=[ROW] * 10).json()) == 10


def test_a_body_above_the_limit_is_refused_also_where_it_comes_in_pieces(server: Running) -> None:
    pieces = (b" " * 500 for _ in range(5))
    assert server.client.post("/predict", content=pieces).status_code == 413
    assert server.client.post("/predict", content=b" " * 2001).status_code == 413
    assert server.client.post("/predict", json=ROW).status_code == 200


def test_a_body_that_does_not_arrive_is_not_waited_for(server: Running) -> None:
    with connected(server) as slow:
        slow.sendall(HEAD + b'{"x"')
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 408")


def test_requests_above_the_limit_are_told_to_come_back(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with (
        running(store, "toy", limits={"requests": 2}) as server,
        connected(server) as one,
        connected(server) as two,
    ):
        for slow in (one, two):
            slow.sendall(HEAD + b'{"x"')
        busy = await_true(
            lambda: (a := server.client.post("/predict", json=ROW)).status_code == 503 and a,
            "a refusal",
        )
        assert busy.headers["retry-after"] == "1"
        assert busy.json()["title"] == "Too busy"
        assert server.client.get("/healthz").is_success
        assert server.client.get("/metrics").is_success
        one.sendall(b": 0.25}")
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 200")
        await_true(lambda: server.client.post("/predict", json=ROW).is_success, "room again")


def test_a_large_request_does_not_hold_up_a_small_one(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    """Large ones are answered in threads; the small one is answered while they run."""
    put(store, toys[0])
    with running(store, "toy") as server, connected(server) as large:
        body = b"[" + b",".join([b'{"x": 0.25}'] * 100_000) + b"]"
        large.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        started = time.monotonic()
        assert server.client.post("/predict", json=ROW).is_success
        small = time.monotonic() - started
        assert large.recv(12) == b"HTTP/1.1 200"
        assert (
            small <= time.monotonic() - started
        )  # the small one did not wait for the large one's end
