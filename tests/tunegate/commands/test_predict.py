"""`tunegate predict`: the same predictions as the server's, and where they are written."""

import csv
import io
import json
from pathlib import Path

import pytest
from support.cli import tunegate
from support.registry import toy_data
from support.serving.servers import put, running

from registry import ModelStore
from registry.package import ModelPackage

NEW = "id,region,size,age,garden\n7,north,50,,true\n8,east,1e6,3.5,no\n"


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("homes")
    data = toy_data.dataset(folder / "data", toy_data.homes())
    return toy_data.package(data, folder / "package", toy_data.GOOD)


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text(NEW)
    return path


def test_a_file_is_predicted_as_the_server_predicts_its_rows(
    homes: ModelPackage, tmp_path: Path
) -> None:
    table = toy_data.homes(60, seed=9).drop(columns=["price", "note"])
    path = tmp_path / "new.csv"
    table.to_csv(path, index=False)
    store = ModelStore(tmp_path / "store")
    put(store, homes)
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    with running(store, "homes") as server:
        answer = server.client.post("/predict?interval=true", json=rows).raise_for_status().json()
    done = tunegate("predict", path, "--package", homes.path, "--interval")
    assert done.returncode == 0, done.stderr
    written = list(csv.DictReader(io.StringIO(done.stdout)))
    names = ("predicted_price", "predicted_price_low", "predicted_price_high")
    assert [tuple(float(row[name]) for name in names) for row in written] == [
        (row["predicted_price"], row["interval"]["low"], row["interval"]["high"]) for row in answer
    ]


def test_it_says_what_it_did_and_what_is_unusual(
    homes: ModelPackage, new: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    done = tunegate("predict", new, "-o", out, "--package", homes.path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"2 rows predicted by homes, package {homes.digest[:12]}" in done.stderr
    assert "not read: id" in done.stderr
    assert "column size: 1 values outside of training's" in done.stderr
    assert out.read_text().startswith("predicted_price\n")


def test_json_lines_on_stdout(homes: ModelPackage, new: Path) -> None:
    done = tunegate("predict", new, "--package", homes.path, "--keep", "id", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == ["7", "8"]


def test_without_a_model_in_production_it_says_what_to_do(new: Path, tmp_path: Path) -> None:
    done = tunegate("predict", new, "--data", "iris", "--state", tmp_path / "state")
    assert done.returncode == 2
    assert "nothing of iris is in production" in done.stderr
    assert "--package" in done.stderr


def test_a_damaged_package_is_not_used(homes: ModelPackage, new: Path, tmp_path: Path) -> None:
    done = tunegate("predict", new, "--package", tmp_path / "nothing")
    assert done.returncode == 1
    assert "manifest.json" in done.stderr


def test_a_file_that_does_not_exist_is_a_wrong_call(homes: ModelPackage) -> None:
    done = tunegate("predict", "absent.csv", "--package", homes.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "absent.csv: No such file" in done.stderr
