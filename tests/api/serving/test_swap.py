"""Hot swap under load: no failed request, only right answers, whatever happens to pointer and packages."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from support.registry.package_variants import damaged
from support.serving.servers import PATIENCE, Running, await_true, put

from registry import ModelStore, Pointer
from registry.package import ModelPackage

CLIENTS = 4


@dataclass
class Seen:
    """What the clients saw: answers by (status, version header, version in the body, prediction), and errors."""

    answers: set[tuple[int, str, str, float]] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    requests: int = 0


@contextmanager
def hammered(server: Running) -> Iterator[Seen]:
    """Let clients ask without a pause while the block runs."""
    seen = Seen()
    stop = threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            while not stop.is_set():
                try:
                    answer = client.post("/predict", json={"x": 0.25})
                    body = answer.json()
                    found = (
                        answer.status_code,
                        answer.headers.get("X-Model-Version", ""),
                        body.get("model_version", ""),
                        body.get("predicted_y", 0.0),
                    )
                except (httpx.HTTPError, json.JSONDecodeError) as error:
                    seen.errors.append(repr(error))
                    continue
                with lock:
                    seen.answers.add(found)
                    seen.requests += 1

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def right(*packages: ModelPackage) -> set[tuple[int, str, str, float]]:
    """Return the answers that these packages give to x = 0.25."""
    predicted = {
        package.digest: float(package.predict({"x": [0.25]})[0, 0]) for package in packages
    }
    return {(200, digest, digest, value) for digest, value in predicted.items()}


def more_requests(seen: Seen, number: int = 40) -> None:
    """Wait until the clients have asked some more."""
    wanted = seen.requests + number
    await_true(lambda: seen.requests >= wanted or seen.errors, "more requests")


def test_swaps_under_load_lose_no_request_and_give_only_right_answers(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    a, b, c = toys
    corrupt = damaged(c, store.model(c.digest))
    with hammered(server) as seen:
        for number in range(2, 12):
            package = (a, b)[number % 2]
            put(store, package, number=number)
            server.await_version(promotion=number, model_version=package.digest, refused=None)
            if number % 4 == 0:
                store.point(Pointer(model="toy", number=99, sha256=c.digest))
            if number % 4 == 2:
                store.pointer_path("toy").write_bytes(b'{"model": "toy", "num')
            if number % 2 == 0:
                await_true(lambda: server.version()["refused"], "the refusal")
                assert server.version()["model_version"] == package.digest
            more_requests(seen)
    assert seen.errors == []
    assert seen.answers == right(a, b)
    assert seen.requests > 300
    assert server.version()["swaps"] == 11
    assert corrupt.exists()
    assert "refused, the old model goes on" in server.log_text()


def test_the_clients_would_notice_a_wrong_answer(server: Running, toys: list[ModelPackage]) -> None:
    with hammered(server) as seen:
        more_requests(seen)
    assert seen.answers == right(toys[0])
    assert seen.answers != right(toys[1])


def test_a_pointer_that_is_removed_gives_503_and_one_that_comes_back_serves_again(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    with hammered(server) as seen:
        more_requests(seen)
        store.unpoint("toy")
        server.await_version(model_version=None)
        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/readyz").status_code == 503
        more_requests(seen)
        put(store, toys[1], number=2)
        server.await_version(model_version=toys[1].digest)
        assert server.client.get("/readyz").status_code == 200
        more_requests(seen)
    assert seen.errors == []
    assert seen.answers == right(toys[0], toys[1]) | {(503, "", "", 0.0)}


def test_a_refusal_is_shown_while_it_lasts_and_the_server_stays_ready(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    damaged(toys[1], store.model(toys[1].digest))
    store.point(Pointer(model="toy", number=2, sha256=toys[1].digest))
    await_true(lambda: server.version()["refused"], "the refusal")
    about = server.version()
    assert "sha256" in about["refused"]
    assert (about["promotion"], about["model_version"]) == (1, toys[0].digest)
    assert server.client.get("/readyz").status_code == 200
    put(store, toys[1], number=2)  # adding it again mends it
    server.await_version(promotion=2, refused=None)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="threads are counted in /proc, which Linux has"
)
def test_many_swaps_leave_no_threads_behind(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    def threads() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return next(
            int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:")
        )

    put(store, toys[1], number=2)
    server.await_version(promotion=2)
    before = threads()
    for number in range(3, 13):
        put(store, toys[number % 3], number=number)
        server.await_version(promotion=number)
    assert threads() == before
