"""A candidate in shadow mode: its metrics are right."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from support.registry import toy_data as toy
from support.registry.package_variants import stump, variant
from support.serving.servers import Running, await_true, in_process, put, running
from support.serving.shadows import (
    ROW,
    await_candidate,
    await_rows,
    shadow_report,
    shadow_samples,
    start_shadow,
)

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage
from trainer.dataset import Dataset


def rows_of(data: Dataset, package: ModelPackage) -> list[dict[str, Any]]:
    """Return the holdout's rows as requests send them."""
    columns = {
        column.name: [
            None if pd.isna(value) else value for value in data.holdout.table[column.name].tolist()
        ]
        for column in package.manifest.columns
    }
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def both(
    champion: ModelPackage, candidate: ModelPackage, rows: list[dict[str, Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predict rows with both packages, without a server."""
    table = {
        column.name: [row[column.name] for row in rows] for column in champion.manifest.columns
    }
    return champion.predict(table), candidate.predict(table)


def send(client: httpx.Client, name: str, rows: list[dict[str, Any]]) -> None:
    """Send half of the rows one by one to `/predict`, the rest in lists to KServe's V1."""
    half = len(rows) // 2
    for row in rows[:half]:
        client.post("/predict", json=row).raise_for_status()
    for start in range(half, len(rows), 20):
        client.post(
            f"/v1/models/{name}:predict", json={"instances": rows[start : start + 20]}
        ).raise_for_status()


def compared(
    store: ModelStore, champion: ModelPackage, candidate: ModelPackage, rows: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[tuple[str, ...], float]]:
    """Send rows to a server with both; return what it has seen, and its metrics."""
    name = champion.manifest.name
    put(store, champion)
    start_shadow(store, candidate)
    with in_process(create_app(store, name)) as client:
        await_candidate(client, candidate)
        send(client, name, rows)
        return await_rows(client, len(rows), name), shadow_samples(client)


def test_the_differences_of_a_regression_are_those_of_the_packages(
    store: ModelStore, homes: ModelPackage, homes_data: Dataset, tmp_path: Path
) -> None:
    candidate = toy.package(homes_data, tmp_path / "candidate", toy.POOR)
    rows = rows_of(homes_data, homes)
    champion, answered = both(homes, candidate, rows)
    difference = answered - champion
    ends = homes.interval(champion)
    assert ends is not None
    outside = ((answered < ends[:, :1]) | (answered > ends[:, 1:])).mean()
    assert 0 < outside < 1
    seen, numbers = compared(store, homes, candidate, rows)
    expected = {
        "mean": difference.mean(),
        "mean_absolute": np.abs(difference).mean(),
        "root_mean_square": np.sqrt((difference**2).mean()),
        "largest": np.abs(difference).max(),
        "outside": outside,
    }
    assert seen["numbers"] == {
        name: pytest.approx(float(value), rel=1e-9) for name, value in expected.items()
    }
    assert seen["classes"] is None
    labels = (candidate.digest, "homes", homes.digest)
    assert numbers["rows_total", *labels] == len(rows)
    assert numbers["difference_sum", *labels] == pytest.approx(difference.sum(), rel=1e-9)
    assert numbers["absolute_difference_total", *labels] == pytest.approx(
        np.abs(difference).sum(), rel=1e-9
    )
    assert numbers["squared_difference_total", *labels] == pytest.approx(
        (difference**2).sum(), rel=1e-9
    )
    assert numbers["largest_difference", *labels] == pytest.approx(
        np.abs(difference).max(), rel=1e-9
    )
    assert numbers["share", candidate.digest, "homes"] == 1


def test_the_differences_of_a_classification_are_those_of_the_packages(
    store: ModelStore, flowers: ModelPackage, flowers_data: Dataset, tmp_path: Path
) -> None:
    candidate = toy.package(flowers_data, tmp_path / "candidate", toy.COARSE)
    rows = rows_of(flowers_data, flowers)
    champion, answered = both(flowers, candidate, rows)
    disagreeing = (champion.argmax(axis=1) != answered.argmax(axis=1)).mean()
    assert 0 < disagreeing < 1
    seen, _ = compared(store, flowers, candidate, rows)
    per_row = np.abs(answered - champion).mean(axis=1)
    assert seen["classes"] == {
        "disagreeing": pytest.approx(disagreeing),
        "mean_absolute": pytest.approx(per_row.mean(), rel=1e-9),
        "largest": pytest.approx(per_row.max(), rel=1e-9),
    }
    assert seen["numbers"] is None


def test_a_share_of_the_requests_is_compared(store: ModelStore, toys: list[ModelPackage]) -> None:
    """1,000 requests and a share of 0.3: 300, give or take four standard deviations of 14.5."""
    put(store, toys[0])
    start_shadow(store, toys[1], share=0.3)
    app = create_app(store, "toy")
    app.state.serving.shadows["toy"].chance = np.random.default_rng(11).random
    with in_process(app) as client:
        await_candidate(client, toys[1])
        for _ in range(1000):
            client.post("/predict", json=ROW).raise_for_status()
        expected = int((np.random.default_rng(11).random(1000) < 0.3).sum())
        seen = await_rows(client, expected)
    assert 242 <= seen["rows"] <= 358


def test_a_large_request_is_compared_in_part_and_counts_once(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    start_shadow(store, toys[1])
    with in_process(create_app(store, "toy")) as client:
        await_candidate(client, toys[1])
        client.post("/predict", json=[ROW] * 5000).raise_for_status()
        client.post("/predict", json=ROW).raise_for_status()
        await_true(
            lambda: shadow_report(client, "toy")["seen"]["rows"] >= 2, "rows of both requests"
        )
        assert 2 <= shadow_report(client, "toy")["seen"]["rows"] <= 33


def test_what_waits_is_limited_and_what_is_too_much_is_counted(
    store: ModelStore, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that compares sleeps for an hour here, so that all requests wait."""
    monkeypatch.setattr("api.serving.shadow.EVERY", 3600)
    monkeypatch.setattr("api.serving.shadow.WAITING", 10)
    put(store, toys[0])
    start_shadow(store, toys[1])
    with in_process(create_app(store, "toy")) as client:
        await_candidate(client, toys[1])
        for _ in range(25):
            assert client.post("/predict", json=ROW).json()["predicted_y"] == 1.0
        client.post("/predict", json=[ROW] * 3).raise_for_status()
        seen = shadow_report(client, "toy")["seen"]
    assert (seen["rows"], seen["dropped"]) == (0, 18)


def test_counting_starts_over_with_another_champion_and_ends_when_the_candidate_is_one(
    server: Running, store: ModelStore, toys: list[ModelPackage]
) -> None:
    a, b, c = toys
    start_shadow(store, c)
    await_candidate(server.client, c)
    server.client.post("/predict", json=ROW).raise_for_status()
    assert await_rows(server.client, 1)["numbers"]["mean"] == 4.0
    put(store, b, number=2)
    server.await_version(model_version=b.digest)
    assert shadow_report(server.client, "toy")["seen"]["rows"] == 0
    for _ in range(2):
        server.client.post("/predict", json=ROW).raise_for_status()
    assert await_rows(server.client, 2)["numbers"]["mean"] == 2.0
    put(store, c, number=3)
    server.await_version(model_version=c.digest)
    server.client.post("/predict", json=ROW).raise_for_status()
    found = shadow_report(server.client, "toy")
    assert (found["refused"], found["seen"]["rows"]) == ("the candidate is in production", 0)
    counted = {
        key[1]: value
        for key, value in shadow_samples(server.client).items()
        if key[0] == "rows_total"
    }
    assert counted == {c.digest: 2}
    by_champion = {
        key[3]: value
        for key, value in shadow_samples(server.client).items()
        if key[0] == "rows_total"
    }
    assert by_champion == {a.digest: 1, b.digest: 2}


def test_answers_that_cannot_be_compared_are_failures(
    server: Running, store: ModelStore, toys: list[ModelPackage], tmp_path: Path
) -> None:
    """A forged package may answer what is finite alone and overflows in a sum of squares."""
    start_shadow(store, variant(toys[1], tmp_path / "wild", forest=stump(low=1e300, high=2.0)))
    await_true(lambda: server.version()["shadow"], "the candidate")
    server.client.post("/predict", json=[{"x": 0.25}, {"x": 0.75}]).raise_for_status()
    await_true(
        lambda: shadow_report(server.client, "toy")["seen"]["rows"] == 1,
        "the row that can be compared",
    )
    seen = shadow_report(server.client, "toy")["seen"]
    assert (seen["failed"], seen["numbers"]["largest"]) == (1, 0.0)


def test_workers_add_up(store: ModelStore, toys: list[ModelPackage]) -> None:
    put(store, toys[0])
    with running(store, "toy", workers=2) as server:
        start_shadow(store, toys[1])
        asked = 0
        workers = set[str]()

        def all_asked() -> bool:
            """Whether each worker has loaded the candidate; an answer's id names its worker."""
            answer = httpx.get(f"{server.url}/version")
            if answer.json()["shadow"] != toys[1].digest:
                workers.clear()
            else:
                workers.add(answer.headers["x-request-id"].partition("-")[0])
            return len(workers) == 2

        await_true(all_asked, "both workers to ask the candidate")
        answered = set[str]()
        while len(answered) < 2 or asked < 40:
            answer = httpx.post(f"{server.url}/predict", json={"x": 0.25 if asked % 2 else 0.75})
            answered.add(answer.headers["x-request-id"].partition("-")[0])
            asked += 1
        seen = await_rows(server.client, asked)
        assert seen["numbers"]["largest"] == 2.0
        assert seen["numbers"]["mean"] == pytest.approx(2.0 * (asked // 2) / asked)
        assert (
            shadow_samples(server.client)["rows_total", toys[1].digest, "toy", toys[0].digest]
            == asked
        )
