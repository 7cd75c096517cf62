"""The copy for other servers answers as the model does, in the runtime that they use."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.registry.toy_data import flowers, homes

from registry.package import (
    Column,
    FlatForest,
    ModelPackage,
    Output,
    encode,
    load_package,
    predict_encoded,
)
from trainer.__main__ import main
from trainer.errors import TrainerError
from trainer.learners.flatten import flatten_estimator
from trainer.onnx.comparison import largest_error
from trainer.onnx.graph import export_onnx
from trainer.recipe import Recipe

Write = Callable[..., str]
Capture = pytest.CaptureFixture[str]
COLUMNS = [Column(name=f"x{i}", kind="numeric") for i in range(4)]
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def run_onnxruntime(content: bytes, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Answer all rows at once, and each by itself, as a server does that knows nothing of us."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (name,) = (given.name for given in session.get_inputs())
    together: NDArray[np.float64] = session.run(None, {name: rows})[0]
    alone = [session.run(None, {name: row[None]})[0] for row in rows[:100]]
    np.testing.assert_allclose(together[:100], np.vstack(alone), rtol=1e-13, atol=1e-13)
    assert together.dtype == np.float64
    return together


def rows_around(forest: FlatForest) -> NDArray[np.float32]:
    """Make rows on thresholds, on both sides of them, and with gaps."""
    rng = np.random.default_rng(1)
    inner = forest.left != np.arange(forest.n_nodes)
    on = rng.choice(
        forest.threshold[inner & np.isfinite(forest.threshold)], (200, forest.n_features)
    )
    neighbours = [np.nextafter(on, np.float32(to)) for to in (-np.inf, np.inf)]
    rows = np.vstack([on, *neighbours, rng.normal(size=on.shape)]).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    return np.vstack([on, *neighbours, rows]).astype(np.float32)


def trained(write: Write, folder: Path, data: str, *flags: str) -> ModelPackage:
    table = homes() if data == "homes" else flowers()
    fields: dict[str, Any] = (
        {"target": "price", "drop": ["note"]} if data == "homes" else {"target": "kind"}
    )
    task = "regression" if data == "homes" else "classification"
    if data == "two kinds":
        table = table[table["kind"] != "c"]
    source = write(table, task=task, **fields)
    assert (
        main(
            [
                "--data",
                source,
                "--n-estimators",
                "7",
                "--folds",
                "2",
                "--output",
                str(folder),
                *flags,
            ]
        )
        == 0
    )
    return load_package(folder)


def on_the_card(package: ModelPackage) -> float:
    (line,) = (
        x
        for x in (package.path / "card.md").read_text().splitlines()
        if "its answers are at most" in x
    )
    return float(line.partition("at most ")[2].split()[0])


@pytest.mark.parametrize("learner", ["random_forest", "xgboost"])
@pytest.mark.parametrize("data", ["homes", "two kinds", "three kinds"])
def test_the_copy_answers_as_the_package_does(
    tmp_path: Path, write: Write, data: str, learner: str
) -> None:
    pytest.importorskip(learner if learner == "xgboost" else "sklearn")
    package = trained(write, tmp_path / "package", data, "--model", learner, "--onnx")
    table = (homes(seed=9) if data == "homes" else flowers(seed=9)).to_dict("list")
    manifest = package.manifest
    # XGBoost adds in float32, the copy in float64.
    tolerance = 1e-5 if learner == "xgboost" else 1e-12
    raw = encode(manifest.columns, {column.name: table[column.name] for column in manifest.columns})
    for rows in (raw, rows_around(package.forest)):
        wanted = predict_encoded(package.forest, manifest.output, rows)
        answers = run_onnxruntime((package.path / "model.onnx").read_bytes(), rows)
        np.testing.assert_allclose(answers, wanted, rtol=tolerance, atol=tolerance)
        assert np.ptp(answers) > 0.1
    assert 0 <= on_the_card(package) < tolerance
    assert {"onnx", "onnxruntime"} < set(manifest.versions)


def test_the_copy_names_its_features_and_classes_in_order(tmp_path: Path, write: Write) -> None:
    package = trained(write, tmp_path / "package", "homes", "--onnx")
    about = (
        onnxruntime.InferenceSession(package.path / "model.onnx")
        .get_modelmeta()
        .custom_metadata_map
    )
    names = ["size", "age", "region=east", "region=north", "region=south", "garden"]
    assert (json.loads(about["features"]), json.loads(about["classes"])) == (names, [])
    package = trained(write, tmp_path / "package", "three kinds", "--onnx")
    about = (
        onnxruntime.InferenceSession(package.path / "model.onnx")
        .get_modelmeta()
        .custom_metadata_map
    )
    assert (json.loads(about["features"]), json.loads(about["classes"])) == (
        ["width", "length"],
        ["a", "b", "c"],
    )


@pytest.mark.parametrize(
    "parameters", [{"max_depth": 1}, {"min_samples_leaf": 200}, {"bootstrap": False}, {}]
)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_shallow_trees_trees_of_one_leaf_and_deep_ones_go_over(
    task: str, parameters: dict[str, object]
) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-5, 5, (300, 4)).astype(np.float32) / np.float32(3)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = (rng.random(300) * 3).round(0 if task == "classification" else 9)
    recipe = Recipe.make("random_forest", task, {"n_estimators": 5, **parameters}, 0)
    forest, output = flatten_estimator(recipe.fit(x, y), n_features=4)
    rows = rows_around(forest) if forest.depth else x
    content = export_onnx(
        forest,
        output,
        columns=COLUMNS,
        classes=range(k) if (k := forest.value.shape[1]) > 1 else (),
    )
    np.testing.assert_allclose(
        run_onnxruntime(content, rows),
        predict_encoded(forest, output, rows),
        rtol=1e-12,
        atol=1e-14,
    )


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), depth=st.sampled_from([1, 3, None]), classes=st.integers(1, 4)
)
def test_any_forest_goes_over(seed: int, depth: int | None, classes: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(80, 3)).round(int(rng.integers(0, 5))).astype(np.float32)
    x[rng.random(x.shape) < rng.choice([0, 0.3])] = np.nan
    y = (
        rng.normal(size=80) * 1e3
        if classes == 1
        else rng.permutation(np.arange(80) % classes).astype(np.float64)
    )
    recipe = Recipe.make(
        "random_forest", "regression" if classes == 1 else "classification", {"max_depth": depth}, 0
    )
    forest, output = flatten_estimator(recipe.fit(x, y), n_features=3)
    content = export_onnx(
        forest, output, columns=COLUMNS[:3], classes=range(classes) if classes > 1 else ()
    )
    rows = np.vstack([x, rows_around(forest)[::7]])
    np.testing.assert_allclose(
        run_onnxruntime(content, rows),
        predict_encoded(forest, output, rows),
        rtol=1e-12,
        atol=1e-14,
    )


def test_a_decision_that_only_missing_values_lose_goes_over() -> None:
    arrays = {
        "start": np.array([0, 3, 4], dtype=np.int32),
        "feature": np.zeros(4, dtype=np.int32),
        "threshold": np.array([np.inf, 0, 0, 0], dtype=np.float32),
        "left": np.array([1, 1, 2, 3], dtype=np.int32),
        "right": np.array([2, 1, 2, 3], dtype=np.int32),
        "missing_left": np.zeros(4, dtype=np.bool_),
        "value": np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0]]),
    }
    forest = FlatForest.from_arrays(arrays, n_features=1)
    rows = np.array([[-3e38], [3e38], [np.nan]], dtype=np.float32)
    answers = run_onnxruntime(
        export_onnx(forest, Output(combine="sum"), columns=COLUMNS[:1], classes=("a", "b")), rows
    )
    assert answers.tolist() == [[1, 0], [1, 0], [2, 0]]


def test_a_copy_that_answers_otherwise_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    recipe = Recipe.make("random_forest", "regression", {"n_estimators": 5}, 0)
    forest, output = flatten_estimator(recipe.fit(x, x[:, 0].astype(np.float64)), n_features=2)
    assert largest_error(export_onnx(forest, output, columns=COLUMNS[:2]), forest, output) < 1e-14
    changes = {
        "value": forest.value + 1e-6,
        "missing_left": ~forest.missing_left,
        "threshold": forest.threshold - 1,
    }
    for name, array in changes.items():
        other = FlatForest.from_arrays({**forest.arrays(), name: array}, n_features=2)
        with pytest.raises(TrainerError, match="does not answer as the model does"):
            largest_error(export_onnx(other, output, columns=COLUMNS[:2]), forest, output)


def test_the_same_trial_gives_the_same_bytes_and_without_the_flag_there_is_no_copy(
    tmp_path: Path, write: Write
) -> None:
    one, two = (trained(write, tmp_path / name, "homes", "--onnx") for name in ("one", "two"))
    assert one.digest == two.digest
    plain = trained(write, tmp_path / "plain", "homes")
    assert not (plain.path / "model.onnx").exists()
    assert "onnx" not in (plain.path / "card.md").read_text()
    assert plain.manifest.files["model.npz"] == one.manifest.files["model.npz"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_the_trial_says_what_to_install_before_it_fits(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["--data", "boston", "--onnx", "--output", str(tmp_path / "package")]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        f"error: --onnx: the package {missing} is not installed\n"
        "hint: pip install 'tunegate[onnx]'\n"
    )
    assert (printed.out, list(tmp_path.iterdir())) == ("", [])


def test_a_copy_without_a_package_is_refused(capsys: Capture) -> None:
    assert main(["--data", "boston", "--onnx"]) == 2
    assert (
        capsys.readouterr().err
        == "error: --onnx: there is no package to put it into\nhint: add --output\n"
    )
