"""The framework is loaded when a request needs it, and no request is the worse for it."""

import asyncio
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.registry.package_variants import tiny
from support.serving.servers import PATIENCE, in_process, put, running

from api import create_app
from api.demand import OnDemand
from registry import ModelStore
from registry.package import ModelPackage

ROW = {"x": 0.25}
TENSOR = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [0.25]}]}
PROBES = (
    "/healthz",
    "/readyz",
    "/version",
    "/metrics",
    "/v2/health/live",
    "/v2/health/ready",
    "/",
    "/static/app.js",
)
CLIENTS = 50


def test_the_rooms_own_modules_do_not_import_it(tmp_path: Path) -> None:
    code = "import sys, api.server.run; print('starlette' in sys.modules, 'fastapi' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["True", "False"]


def test_predictions_and_probes_do_not_load_it_and_a_refusal_does(
    store: ModelStore, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "PYTHONPROFILEIMPORTTIME", "1"
    )  # the server's log then names each module that is imported
    put(store, toys[0])
    with running(store, "toy", access_log=True) as server:
        client = server.client
        for _ in range(3):
            assert client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
            assert client.post("/predict", json=[ROW, ROW]).is_success
            assert client.post("/v1/models/toy:predict", json={"instances": [ROW]}).json() == {
                "predictions": [1.0]
            }
            assert client.post("/v2/models/toy/infer", json=TENSOR).json()["outputs"][0][
                "data"
            ] == [1.0]
            assert all(client.get(path).is_success for path in PROBES)
        assert imported(server.log_text()) == {"starlette"}
        answer = client.post("/predict", json={"x": "0.25"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "x")
        assert imported(server.log_text()) == {"starlette", "fastapi"}


def imported(log: str) -> set[str]:
    return set(re.findall(r"^import time:.*\| +(fastapi|starlette)$", log, re.MULTILINE))


def test_all_who_come_while_it_is_loaded_are_answered_rightly_across_a_swap(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    """Some ask for what it alone can answer, some are refused by it, some never need it."""
    put(store, toys[0])
    predicted = {toys[0].digest: 1.0, toys[1].digest: 3.0}
    seen: Counter[int] = Counter()
    together = threading.Barrier(CLIENTS + 1)
    asks: list[Callable[[httpx.Client], httpx.Response]] = [
        lambda client: client.post("/predict?interval=false", json=ROW),
        lambda client: client.post("/predict", json={"x": "wrong"}),
        lambda client: client.post("/predict", json=ROW),
        lambda client: client.post("/v2/models/toy/infer", json={"inputs": []}),
        lambda client: client.get("/openapi.json"),
    ]

    def ask(i: int) -> None:
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            together.wait(PATIENCE)
            answer = asks[i % len(asks)](client)
        seen[answer.status_code] += 1
        if answer.is_success and "predicted_y" in answer.json():
            assert answer.json()["predicted_y"] == predicted[answer.headers["x-model-version"]]

    with running(store, "toy") as server, ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(ask, i) for i in range(CLIENTS)]
        together.wait(PATIENCE)
        put(store, toys[1], number=2)
        for each in asked:
            each.result(PATIENCE)
        assert seen == {200: CLIENTS * 3 // 5, 422: CLIENTS * 2 // 5}
        server.await_version(model_version=toys[1].digest)
        assert server.client.post("/predict?interval=false", json=ROW).json()["predicted_y"] == 3.0
        assert "ERROR" not in server.log_text()


def test_where_it_cannot_be_loaded_a_problem_says_so_and_the_next_request_tries_again(
    store: ModelStore, toys: list[ModelPackage], caplog: pytest.LogCaptureFixture
) -> None:
    put(store, toys[0])
    app = create_app(store, "toy")
    make = app.framework.make
    faults = [ImportError("the disk is slow"), MemoryError("none left")]

    def fail_twice() -> object:
        if faults:
            raise faults.pop(0)
        return make()

    app.framework.make = fail_twice
    with in_process(app) as client:
        first = client.post("/predict", json=ROW)
        assert (first.status_code, first.headers["content-type"]) == (
            500,
            "application/problem+json",
        )
        assert "disk" not in first.text
        assert client.post("/v2/models/toy/infer", json=TENSOR).json().keys() == {"error"}
        assert client.get("/healthz").is_success
        assert client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
    assert "the disk is slow" in caplog.text


def test_it_is_made_once_also_where_the_first_who_asked_goes_away() -> None:
    goes_on = threading.Event()
    calls = []

    def make() -> str:
        calls.append(goes_on.wait(PATIENCE))
        return "made"

    async def ask() -> list[str]:
        wanted = OnDemand(make)
        first, *others = [asyncio.create_task(wanted.get()) for _ in range(3)]
        await asyncio.sleep(0)  # lets them begin
        first.cancel()
        await asyncio.wait({first})
        goes_on.set()
        return [*await asyncio.gather(*others), await wanted.get()]

    assert asyncio.run(ask()) == ["made"] * 3
    assert calls == [True]


def test_a_late_model_is_served_by_what_was_loaded_before_it(
    store: ModelStore, tmp_path: Path
) -> None:
    with running(store, "toy") as server:
        assert server.client.post("/predict", json=ROW).status_code == 503
        put(store, tiny(tmp_path / "late", low=7.0))
        server.await_version(promotion=1)
        assert server.client.post("/predict?interval=false", json=ROW).json()["predicted_y"] == 7.0
