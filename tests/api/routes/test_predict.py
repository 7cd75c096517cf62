"""Good requests: the server answers what the package predicts, and says which package that was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support.registry.package_variants import tiny, variant
from support.serving.servers import Running, in_process, put, serving

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage
from trainer.dataset import Dataset, DatasetPart

VERSION = "X-Model-Version"
WARNING = "X-Model-Warning"
ROW: dict[str, Any] = {"size": 80.5, "age": 12.0, "region": "north", "garden": True}


def rows(part: DatasetPart) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part as requests."""
    for i in range(len(part.y)):
        cells = {name: values[i] for name, values in part.table.items()}
        plain = {
            name: cell.item() if isinstance(cell, np.generic) else cell
            for name, cell in cells.items()
        }
        yield {
            name: None if isinstance(cell, float) and np.isnan(cell) else cell
            for name, cell in plain.items()
        }


def test_answers_are_the_packages_predictions_to_the_last_bit(
    homes_server: Running, homes: ModelPackage, homes_data: Dataset
) -> None:
    expected = homes.predict(homes_data.holdout.table)[:, 0]
    requests = list(rows(homes_data.holdout))
    assert any(row["age"] is None for row in requests)  # a missing value is answered too
    for row, value in zip(requests, expected, strict=True):
        answer = homes_server.client.post("/predict", json=row)
        assert answer.json() == {"predicted_price": value, "model_version": homes.digest}


def test_a_classifier_answers_the_likeliest_class_and_all_shares(
    store: ModelStore, flowers: ModelPackage, flowers_data: Dataset
) -> None:
    expected = flowers.predict(flowers_data.holdout.table)
    with serving(store, flowers) as session:
        for row, shares in zip(rows(flowers_data.holdout), expected, strict=True):
            answer = session.post("/predict", json=row).json()
            assert answer["probabilities"] == dict(zip(("a", "b", "c"), shares, strict=True))
            assert answer["predicted_kind"] == "abc"[shares.argmax()]
            assert answer["model_version"] == flowers.digest


@pytest.mark.parametrize("classes", [(0, 1, 2), (False, True, 2), ("x", "y", "größe")])
def test_a_class_keeps_its_type_in_the_answer(
    store: ModelStore, flowers: ModelPackage, tmp_path: Path, classes: tuple[Any, ...]
) -> None:
    package = variant(flowers, tmp_path / "other", classes=classes)
    with serving(store, package) as session:
        answer = session.post("/predict", json=package.golden.rows[0]).json()
        best = classes[int(np.argmax(package.golden.predictions[0]))]
        assert (answer["predicted_kind"], type(answer["predicted_kind"])) == (best, type(best))
        assert list(answer["probabilities"]) == [str(label) for label in classes]


def test_every_answer_of_a_model_names_its_package(
    homes_server: Running, homes: ModelPackage
) -> None:
    answers = [
        homes_server.client.post("/predict", json=ROW),
        homes_server.client.get("/readyz"),
        homes_server.client.get("/version"),
    ]
    assert [answer.headers[VERSION] for answer in answers] == [homes.digest] * 3
    assert answers[1].json() == {"status": "ready", "model_version": homes.digest}


def test_version_says_what_serves_and_since_when(
    homes_server: Running, homes: ModelPackage
) -> None:
    about = homes_server.version()
    assert (about["service"], about["model"], about["model_version"]) == (
        "tunegate",
        "homes",
        homes.digest,
    )
    assert (about["promotion"], about["refused"]) == (1, None)
    assert about["loaded_at"].startswith("20")


def test_health_says_only_that_the_process_lives(homes_server: Running) -> None:
    assert homes_server.client.get("/healthz").json() == {"status": "ok"}


def test_a_row_within_what_training_saw_is_answered_without_a_warning(
    homes_server: Running,
) -> None:
    assert WARNING not in homes_server.client.post("/predict", json=ROW).headers


def test_a_row_outside_what_training_saw_is_answered_with_a_warning_for_each_column(
    homes_server: Running, homes: ModelPackage
) -> None:
    answer = homes_server.client.post("/predict", json={**ROW, "size": 5000, "age": -1})
    assert answer.status_code == 200
    size, age = answer.headers[WARNING].split("; ")
    column = homes.manifest.columns[0]
    assert size == f"size=5000 outside {column.minimum:g}..{column.maximum:g}"
    assert age.startswith("age=-1 outside ")


def test_a_missing_value_is_not_outside(homes_server: Running) -> None:
    answer = homes_server.client.post("/predict", json={**ROW, "age": None})
    assert answer.status_code == 200
    assert WARNING not in answer.headers


@pytest.mark.parametrize("value", [17, None, "text", [1, 2], {"deep": [True]}])
def test_an_ignored_column_may_hold_anything_and_changes_nothing(
    homes_server: Running, value: object
) -> None:
    plain = homes_server.client.post("/predict", json=ROW).json()
    assert homes_server.client.post("/predict", json={**ROW, "note": value}).json() == plain


@pytest.mark.parametrize(
    ("given", "same"), [("80", "80.0"), ("-0.0", "0"), ("1e-320", "0"), ("8.05e1", "80.5")]
)
def test_numbers_may_be_written_in_any_way_json_knows(
    homes_server: Running, given: str, same: str
) -> None:
    body = '{"age": 12, "region": "north", "garden": true, "size": %s}'
    answers = [
        homes_server.client.post("/predict", content=body % number) for number in (given, same)
    ]
    assert answers[0].status_code == 200
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    "name",
    ["größe", "a b", 'say "x"', "x\r\nSet-Cookie: y=1", "model_x", "f1", "json", "__class__"],
)
def test_a_column_may_have_any_name(store: ModelStore, tmp_path: Path, name: str) -> None:
    column = {"name": name, "kind": "numeric", "minimum": 0.0, "maximum": 1.0, "typical": 0.25}
    package = tiny(tmp_path / "odd", columns=[column])
    with serving(store, package) as session:
        answer = session.post("/predict", json={name: 7.5})
        assert answer.json()["predicted_y"] == 2.0
        assert "outside 0..1" in answer.headers[WARNING]
        assert answer.headers[WARNING].isprintable()
        assert answer.headers[WARNING].isascii()
        assert "Set-Cookie" not in answer.headers
        assert session.post("/predict", json={}).json()["errors"][0]["field"] == name
        assert session.get("/openapi.json").status_code == 200


def test_without_a_model_the_server_lives_but_is_not_ready(store: ModelStore) -> None:
    with in_process(create_app(store, "homes")) as session:
        assert session.get("/healthz").status_code == 200
        about = session.get("/version")
        assert (about.json()["model_version"], about.json()["promotion"]) == (None, None)
        assert VERSION not in about.headers
        for answer in (
            session.get("/readyz"),
            session.post("/predict", json=ROW),
            session.post("/predict"),
        ):
            assert_unavailable(answer, "nothing has been promoted yet")


def assert_unavailable(answer: httpx.Response, detail: str) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.headers["retry-after"] == "1"
    assert (answer.json()["title"], answer.json()["detail"]) == ("No model is loaded", detail)


def test_a_server_of_one_model_does_not_serve_another(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with in_process(create_app(store, "homes")) as session:
        assert session.get("/readyz").status_code == 503
