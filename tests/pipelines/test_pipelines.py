"""The pipelines' YAML is current, and kfp's own local runner brings a model into production."""

import json
from pathlib import Path

import pytest
from support.cli import ROOT, tunegate
from support.pipelines import has_kfp, kfp

from registry import ModelStore

pytestmark = pytest.mark.skipif(not has_kfp(), reason="run scripts/peers kfp")


def test_the_compiled_pipelines_are_current(tmp_path: Path) -> None:
    kfp("pipelines.compile", tmp_path)
    for name in ("house_prices", "iris_csv", "iris_training"):
        found = (tmp_path / f"{name}.yaml").read_text()
        assert (ROOT / "pipelines" / f"{name}.yaml").read_text() == found, (
            "run .peers/kfp/bin/python -m pipelines.compile"
        )


def test_the_iris_table_is_printed() -> None:
    head = json.loads(kfp("pipelines.run_local", "iris_csv", "source=examples/iris.csv", "rows=2"))
    assert len(head.splitlines()) == 3
    assert "petal length" in head


def test_a_table_of_house_prices_becomes_a_model_in_production(tmp_path: Path) -> None:
    state = tmp_path / "state"
    metrics = json.loads(kfp("pipelines.run_local", "house_prices", "trials=2", f"state={state}"))
    assert 5 < metrics["mse"] < 30
    history = json.loads(tunegate("history", "--state", state, "--json", cwd=tmp_path).stdout)
    assert [entry["promotion"]["model"] for entry in history] == ["boston"]


def test_a_model_is_trained_and_stored_without_a_search(tmp_path: Path) -> None:
    store = tmp_path / "store"
    digest = json.loads(
        kfp("pipelines.run_local", "iris_training", "source=examples/iris.csv", f"address={store}")
    )
    package = ModelStore(store).open(digest)
    assert package.manifest.name == "iris"
    assert package.forest.n_trees == 50
