"""Several workers serve as one: one model, added-up metrics; a worker that ends is replaced."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.serving.servers import PATIENCE, Running, await_true, put, running

from api.server import workers
from registry import ModelStore
from registry.package import ModelPackage

ROW = {"x": 0.25}


@pytest.fixture
def two_workers(store: ModelStore, toys: list[ModelPackage]) -> Iterator[Running]:
    put(store, toys[0])
    with running(store, "toy", workers=2) as found:
        await_true(lambda: len(answering(found, toys[0])) == 2, "both workers to answer")
        yield found


def children(server: Running) -> set[int]:
    """The processes that serve; Python's resource tracker is none of them."""
    parent = server.process.pid
    pids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def answering(server: Running, package: ModelPackage) -> set[str]:
    """Ask on new connections, and tell the workers apart by the ids that they make."""
    found = set()
    for _ in range(20):
        answer = httpx.post(f"{server.url}/predict", json=ROW)
        assert answer.headers["x-model-version"] == package.digest
        found.add(answer.headers["x-request-id"].partition("-")[0])
    return found


def test_both_follow_a_promotion_and_count_as_one(
    two_workers: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[1], number=2)
    deadline = time.monotonic() + PATIENCE
    answers = 0
    seen: set[str] = set()
    while (len(seen) < 2 or answers < 20) and time.monotonic() < deadline:
        answer = httpx.post(f"{two_workers.url}/predict", json=ROW)
        if answer.headers["x-model-version"] == toys[1].digest:
            answers += 1
            seen.add(answer.headers["x-request-id"].partition("-")[0])
    assert len(seen) == 2
    line = f'tunegate_rows_total{{model="toy",version="{toys[1].digest}"}} {answers:.1f}'
    await_true(
        lambda: line in httpx.get(f"{two_workers.url}/metrics").text,
        "the answers of both workers to be counted",
    )


def test_a_worker_that_ends_is_replaced(two_workers: Running, toys: list[ModelPackage]) -> None:
    before = children(two_workers)
    assert len(before) == 2
    os.kill(min(before), signal.SIGKILL)
    await_true(lambda: len(now := children(two_workers)) == 2 and now != before, "another worker")
    await_true(lambda: len(answering(two_workers, toys[0])) == 2, "both to answer")


def _sleeping() -> multiprocessing.Process:
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    process.start()
    return process


@pytest.mark.parametrize("other_works", [True, False])
def test_a_worker_that_is_killed_again_and_again_ends_the_server_only_if_no_other_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, other_works: bool
) -> None:
    """The system kills what takes too much memory, young or not."""
    monkeypatch.setattr(workers, "PAUSE", 0.0)
    monkeypatch.setattr(workers, "mark_process_dead", lambda _: None)
    slots = [workers._Worker(_sleeping) for _ in range(2)]  # type: ignore[arg-type] # it calls it without more
    if other_works:
        slots[1].since -= workers.SOON
    requests, sender = os.pipe()
    ended: list[bool] = []

    def supervise() -> None:
        ended.append(workers._replace_ended(slots, requests))

    thread = threading.Thread(target=supervise)
    thread.start()
    for _ in range(workers.MAX_FAILED_STARTS + 1):
        young = slots[0].process
        young.kill()
        await_true(
            lambda old=young: slots[0].process is not old or ended, "another worker, or the end"
        )
    os.write(sender, b"x")
    thread.join()
    for slot in slots:
        slot.process.kill()
        slot.process.join()
    os.close(requests)
    os.close(sender)
    assert ended == [other_works]


def test_all_end_with_the_first(two_workers: Running) -> None:
    workers = children(two_workers)
    two_workers.process.terminate()
    assert two_workers.process.wait(PATIENCE) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_none_outlives_the_first(two_workers: Running) -> None:
    workers = children(two_workers)
    two_workers.process.kill()
    await_true(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers to end"
    )


def test_a_hang_up_ends_all_and_leaves_no_files(
    store: ModelStore, toys: list[ModelPackage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, toys[0])
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with running(store, "toy", workers=2) as server:
        assert list(folder.glob("tunegate-metrics-*"))
        server.process.send_signal(signal.SIGHUP)
        assert server.process.wait(PATIENCE) == 0
    assert not list(folder.glob("tunegate-metrics-*"))


def test_asked_while_a_worker_starts_all_end_quietly(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with running(store, "toy", workers=2) as server:
        os.kill(min(children(server)), signal.SIGKILL)
        await_true(lambda: len(children(server)) == 1, "it to end")
        await_true(lambda: len(children(server)) == 2, "another to be started")
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(PATIENCE) == 0
        assert "Traceback" not in server.log_text()
