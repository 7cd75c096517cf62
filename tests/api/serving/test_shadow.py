"""A candidate in shadow mode: what may become one, and no request is any the worse for it."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.registry.package_variants import damaged, flip_bit, scaled, tiny, variant
from support.serving.servers import PATIENCE, Running, await_true, put
from support.serving.shadows import ROW, await_candidate, begin, samples, told

from registry import ModelStore, Pointer
from registry.package import ModelPackage
from registry.shadow import Shadow


@contextmanager
def asked_without_a_pause(url: str, right: dict[str, float]) -> Iterator[Callable[[], None]]:
    """Let clients ask while the block runs; each answer must be right for the version that it names.

    Yields:
        What waits until some more requests were answered.
    """
    stop = threading.Event()
    wrong = deque[str]()
    answered = deque[int]()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            while not stop.is_set():
                try:
                    answer = client.post("/predict", json=ROW).raise_for_status()
                    if answer.json()["predicted_y"] != right[answer.headers["x-model-version"]]:
                        wrong.append(answer.text)
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    wrong.append(repr(error))
                answered.append(1)

    def more() -> None:
        wanted = len(answered) + 40
        await_true(lambda: len(answered) >= wanted, "more requests")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield more
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert list(wrong) == []


def test_nothing_is_said_to_run_where_nothing_was_set(
    server: Running, toys: list[ModelPackage]
) -> None:
    assert told(server.client, "toy") == {
        "model": "toy", "champion": toys[0].digest, "candidate": None, "share": None, "refused": None, "seen": None,
    }  # fmt: skip
    assert server.client.get("/v1/models/nobody/shadow").status_code == 404
    about = server.version()
    assert (about["shadow"], about["shadow_refused"]) == (None, None)


def test_a_damaged_candidate_is_refused_and_one_that_was_mended_is_asked(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    folder = damaged(toys[1], store.model(toys[1].digest))
    store.set_shadow(Shadow(model="toy", sha256=toys[1].digest, share=1.0))
    await_true(lambda: server.version()["shadow_refused"], "the refusal")
    about = server.version()
    assert "sha256" in about["shadow_refused"]
    assert (about["shadow"], about["refused"], about["model_version"]) == (
        None,
        None,
        toys[0].digest,
    )
    assert told(server.client, "toy")["refused"] == about["shadow_refused"]
    assert samples(server.client)["refused", "toy"] == 1
    assert "shadow refused" in server.log_text()
    assert server.client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
    flip_bit(folder)  # the very same file again: it is tried once more by itself
    server.await_version(shadow=toys[1].digest, shadow_refused=None)
    assert samples(server.client)["refused", "toy"] == 0


def test_a_package_of_another_model_is_refused(
    server: Running, store: ModelStore, tmp_path: Path
) -> None:
    other = tiny(tmp_path / "other", name="other")
    store.add(other)
    store.set_shadow(Shadow(model="toy", sha256=other.digest, share=1.0))
    await_true(lambda: server.version()["shadow_refused"], "the refusal")
    assert "a package of other, not of toy" in server.version()["shadow_refused"]


def test_a_candidate_of_other_columns_is_not_compared(
    server: Running, store: ModelStore, tmp_path: Path
) -> None:
    """The champion may change under a shadow that was fit when it was set."""
    column = {"name": "z", "kind": "numeric", "minimum": 0.0, "maximum": 1.0, "typical": 0.25}
    begin(store, tiny(tmp_path / "other", columns=[column]))
    await_true(lambda: server.version()["shadow"], "the candidate")
    assert server.client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
    found = told(server.client, "toy")
    assert (found["refused"], found["seen"]["rows"]) == (
        "the candidate differs from the champion in columns",
        0,
    )


def test_no_answer_changes_and_none_fails_whatever_becomes_of_the_shadow(
    server: Running, store: ModelStore, toys: list[ModelPackage], tmp_path: Path
) -> None:
    a, b, c = toys
    wild = variant(b, tmp_path / "wild", forest=scaled(b, 1e307))
    with asked_without_a_pause(server.url, {a.digest: 1.0, b.digest: 3.0}) as more_requests:
        for _ in range(3):
            for package in (b, c, wild):
                begin(store, package, share=0.5)
                await_candidate(server.client, package)
                more_requests()
            damaged_folder = store.model(b.digest)
            flip_bit(damaged_folder)
            store.set_shadow(Shadow(model="toy", sha256=b.digest, share=1.0))
            await_true(lambda: server.version()["shadow_refused"], "the refusal")
            more_requests()
            flip_bit(damaged_folder)
            store.shadow_path("toy").write_bytes(b'{"model": "toy", "sha')
            await_true(
                lambda: "not a readable" in (server.version()["shadow_refused"] or ""),
                "the broken file's refusal",
            )
            more_requests()
            store.clear_shadow("toy")
            server.await_version(shadow=None, shadow_refused=None)
            more_requests()
        begin(store, b)
        put(store, b, number=2)
        server.await_version(model_version=b.digest)
        more_requests()
    assert samples(server.client)["rows_total", c.digest, "toy", a.digest] > 0


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="threads are counted in /proc, which Linux has"
)
def test_a_shadow_that_ends_leaves_no_thread_behind(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    def threads() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return next(
            int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:")
        )

    told(server.client, "toy")  # this route runs in a thread that stays
    before = threads()
    for package in (toys[1], toys[2]):
        begin(store, package)
        await_candidate(server.client, package)
        store.clear_shadow("toy")
        await_candidate(server.client, None)
    assert threads() == before


def test_the_pointer_of_a_shadow_is_not_the_models(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    begin(store, toys[1])
    await_candidate(server.client, toys[1])
    assert store.pointer("toy") == Pointer(model="toy", number=1, sha256=toys[0].digest)
    assert server.version()["swaps"] == 1
