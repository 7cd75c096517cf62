"""After SIGTERM a draining server goes on answering, and lets its clients go one by one."""

import json
import os
import signal
import socket
import threading
from collections import Counter

import httpx
import pytest
from support.patience import patience
from support.serving.servers import PATIENCE, await_true, put, running

from registry import ModelStore
from registry.package import ModelPackage


def test_a_draining_server_answers_and_says_goodbye(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with (
        running(store, toys[0].manifest.name, drain=PATIENCE) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        assert "connection" not in client.post("/predict", json={"x": 0.25}).headers
        server.process.send_signal(signal.SIGTERM)
        await_true(
            lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "it is not ready any more"
        )
        assert (
            httpx.get(f"{server.url}/v2/health/ready").status_code == 503
        )  # whichever of the two is asked
        answer = client.post("/predict", json={"x": 0.25})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        server.process.send_signal(signal.SIGTERM)  # a second one does not wait
        assert server.process.wait(PATIENCE) == 0


def test_no_request_is_lost_while_it_drains(store: ModelStore, toys: list[ModelPackage]) -> None:
    """Each client works until it was told goodbye; not one meets a closed connection before."""
    put(store, toys[0])
    seen: Counter[int] = Counter()
    failed: list[Exception] = []

    def work(url: str) -> None:
        try:
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                while (
                    "connection"
                    not in (answer := client.post("/predict", json={"x": 0.25})).headers
                ):
                    seen[answer.status_code] += 1
        except httpx.HTTPError as error:
            failed.append(error)

    with running(store, toys[0].manifest.name, drain=3.0) as server:
        threads = [threading.Thread(target=work, args=(server.url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        await_true(lambda: seen[200] > 100, "they are at work")
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(PATIENCE)
        assert server.process.wait(PATIENCE) == 0
    assert failed == []
    assert set(seen) == {200}


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_without_draining_it_ends_at_once(
    store: ModelStore, toys: list[ModelPackage], stop: signal.Signals
) -> None:
    put(store, toys[0])
    with running(store, toys[0].manifest.name) as server:
        server.process.send_signal(stop)
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_last_requests_are_logged(
    store: ModelStore, toys: list[ModelPackage], stop: signal.Signals, workers: int
) -> None:
    put(store, toys[0])
    with running(store, "toy", access_log=True, workers=workers) as server:
        server.client.post(
            "/predict", json={"x": 0.25}, headers={"x-request-id": "last"}
        ).raise_for_status()
        server.client.close()
        server.process.send_signal(stop)
        assert server.process.wait(PATIENCE) == 0
        assert server.process.stdout
        assert json.loads(server.process.stdout.read().splitlines()[-1])["request_id"] == "last"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_to_the_whole_group_does_not_cut_draining_short(
    store: ModelStore, toys: list[ModelPackage], workers: int
) -> None:
    """As systemd does it: each process gets the signal, and the first passes it on."""
    put(store, toys[0])
    with running(store, "toy", drain=PATIENCE, workers=workers) as server:
        await_true(
            lambda: server.log_text().count("startup complete") == workers, "all to have started"
        )
        os.killpg(server.process.pid, signal.SIGTERM)
        await_true(lambda: server.log_text().count("draining for") == workers, "all to drain")
        with httpx.Client(base_url=server.url) as client:
            assert client.post("/predict", json={"x": 0.25}).headers["connection"] == "close"
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_asked_twice_at_a_terminal_it_leaves_an_unfinished_request_quietly(
    store: ModelStore, toys: list[ModelPackage], workers: int
) -> None:
    put(store, toys[0])
    with running(store, "toy", drain=PATIENCE, workers=workers) as server:
        await_true(
            lambda: server.log_text().count("startup complete") == workers, "all to have started"
        )
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            os.killpg(server.process.pid, signal.SIGINT)
            await_true(
                lambda: "Waiting for connections to close" in server.log_text(),
                "it to wait for the request",
            )
            os.killpg(server.process.pid, signal.SIGINT)
            assert server.process.wait(patience(5)) == 0
        assert "Traceback" not in server.log_text()
        assert "ERROR" not in server.log_text()
