"""After SIGTERM a draining server goes on answering, and lets its clients go one by one."""

import signal
import threading
from collections import Counter

import httpx
import pytest
from support.servers import PATIENCE, await_true, put, running

from registry import ModelStore
from registry.package import ModelPackage


def test_a_draining_server_answers_and_says_goodbye(store: ModelStore, toys: list[ModelPackage]) -> None:
    put(store, toys[0])
    with running(store, toys[0].manifest.name, drain=PATIENCE) as server, httpx.Client(base_url=server.url) as client:
        assert "connection" not in client.post("/predict", json={"x": 0.25}).headers
        server.process.send_signal(signal.SIGTERM)
        await_true(lambda: httpx.get(f"{server.url}/readyz").status_code == 503, "it is not ready any more")
        assert httpx.get(f"{server.url}/v2/health/ready").status_code == 503  # whichever of the two is asked
        answer = client.post("/predict", json={"x": 0.25})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        server.process.send_signal(signal.SIGTERM)  # a second one does not wait
        assert server.process.wait(PATIENCE) in {0, -signal.SIGTERM}


def test_no_request_is_lost_while_it_drains(store: ModelStore, toys: list[ModelPackage]) -> None:
    """Each client works until it was told goodbye; not one meets a closed connection before."""
    put(store, toys[0])
    seen: Counter[int] = Counter()
    failed: list[Exception] = []

    def work(url: str) -> None:
        try:
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                while "connection" not in (answer := client.post("/predict", json={"x": 0.25})).headers:
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
        assert server.process.wait(PATIENCE) in {0, -signal.SIGTERM}
    assert failed == []
    assert set(seen) == {200}


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_without_draining_it_ends_at_once(store: ModelStore, toys: list[ModelPackage], stop: signal.Signals) -> None:
    put(store, toys[0])
    with running(store, toys[0].manifest.name) as server:
        server.process.send_signal(stop)
        assert server.process.wait(PATIENCE) in {0, -stop}
