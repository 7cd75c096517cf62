"""Linear learners: a trial's package is proven, scaled as it should be, or refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from registry.package import FlatLinear, ModelPackage, load_package
from trainer import TrainerError
from trainer.dataset import Dataset, load_dataset
from trainer.learners.flatten import flatten_estimator
from trainer.recipe import Recipe
from trainer.scoring.importance import ImportanceMeter
from trainer.trial import cross_validate, write_trial

REGRESSIONS = ["ridge", "lasso", "elastic_net"]
SPEC = """
name = "houses"
source = "h.csv"
target = "{target}"
task = "{task}"
prediction = "predicted"
"""


def dataset(folder: Path, target: str = "price", more: str = "") -> Dataset:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "area": rng.normal(100, 20, 200).round(2),
            "age": np.where(rng.random(200) < 0.1, np.nan, rng.integers(0, 90, 200)),
            "zone": rng.choice(["a", "b", "c"], 200),
        }
    )
    price = frame["area"] * 3e4 - frame["age"].fillna(40) * 1e4 + (frame["zone"] == "b") * 5e5
    frame["price"] = (price + rng.normal(0, 1e5, 200)).clip(lower=1e4).round(2)
    frame["dear"] = np.where(frame["price"] > frame["price"].median(), "yes", "no")
    frame["band"] = pd.qcut(frame["price"], 3, labels=["low", "mid", "high"]).astype(str)
    frame = frame.drop(columns=[name for name in ("price", "dear", "band") if name != target])
    frame.to_csv(folder / "h.csv", index=False)
    task = "regression" if target == "price" else "classification"
    (folder / "h.toml").write_text(SPEC.format(target=target, task=task) + more)
    return load_dataset(str(folder / "h.toml"))


def trial(
    folder: Path, data: Dataset, name: str, *, onnx: bool = False
) -> tuple[Recipe, ModelPackage]:
    recipe = Recipe.of_dataset(data, name, {}, 0)
    meter = ImportanceMeter(data, recipe)
    score = cross_validate(recipe, data, folds=3, seed=0, meter=meter)[0]
    target = folder / "package"
    write_trial(
        target, recipe, data, score, fold_seed=0, onnx=onnx, importances=meter.importances()
    )
    return recipe, load_package(target)


def library_answers(recipe: Recipe, data: Dataset) -> NDArray[np.float64]:
    part = data.training
    x = data.matrix(part)
    return recipe.predict(recipe.fit(x, part.y, weight=part.weight), x)


@pytest.mark.parametrize(
    ("name", "target", "more"),
    [
        *((name, "price", "") for name in REGRESSIONS),
        ("ridge", "price", 'target_transform = "log1p"\n'),
        ("logistic", "dear", ""),
        ("logistic", "band", 'class_weight = "balanced"\n'),
    ],
)
def test_a_trial_writes_a_package_that_answers_as_the_pipeline(
    tmp_path: Path, name: str, target: str, more: str
) -> None:
    data = dataset(tmp_path, target, more)
    recipe, package = trial(tmp_path, data, name)
    assert isinstance(package.predictor, FlatLinear)
    assert (package.manifest.format, package.manifest.output.smooth) == (3, False)
    mine = package.predict(data.training.table)
    np.testing.assert_allclose(mine, library_answers(recipe, data), rtol=1e-12)
    assert any(None in row.values() for row in package.golden.rows)
    most = package.manifest.importances[0]
    assert (most.column, most.mean > 0) == ("area", True)
    assert "extends its straight line" in package.card


@pytest.mark.parametrize(
    ("name", "target", "more"),
    [
        ("elastic_net", "price", ""),
        ("ridge", "price", 'target_transform = "log1p"\n'),
        ("logistic", "dear", ""),
        ("logistic", "band", ""),
    ],
)
def test_the_onnx_copy_answers_as_the_package(
    tmp_path: Path, name: str, target: str, more: str
) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    data = dataset(tmp_path, target, more)
    _, package = trial(tmp_path, data, name, onnx=True)
    x = data.matrix(data.training)
    assert np.isnan(x).any()
    session = runtime.InferenceSession(str(package.path / "model.onnx"))
    (found,) = session.run(None, {"features": x})
    np.testing.assert_allclose(found, package.predict(data.training.table), rtol=1e-9)
    assert "`model.onnx` is a copy" in package.card


def test_a_coefficient_that_is_slightly_off_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_flat(estimator: object, *, n_features: int) -> tuple[FlatLinear, Any]:
        linear, output = flatten_estimator(estimator, n_features=n_features)
        assert isinstance(linear, FlatLinear)
        return replace(linear, coefficient=linear.coefficient * (1 + 1e-13)), output

    monkeypatch.setattr("trainer.trial.flatten_estimator", nearly_flat)
    with pytest.raises(TrainerError, match="the package of this ridge does not answer as its"):
        trial(tmp_path, dataset(tmp_path), "ridge")
    assert not (tmp_path / "package").exists()


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_penalty_means_the_same_whatever_the_targets_unit(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] * 2.0 + x[:, 1] + rng.normal(size=80)
    recipe = Recipe.make(name, "regression", {"alpha": 0.1}, 0)
    small, large = (
        flatten_estimator(recipe.fit(x, y * unit), n_features=5)[0].arrays()["coefficient"]
        for unit in (1.0, 1e6)
    )
    assert small.any()
    np.testing.assert_allclose(small * 1e6, large, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "task", "hint"),
    [
        ("ridge", "classification", "it is for regression, not for classification"),
        ("logistic", "regression", "it is for classification, not for regression"),
    ],
)
def test_a_learner_of_the_other_task_is_refused(name: str, task: str, hint: str) -> None:
    with pytest.raises(TrainerError, match=f"^--model {name}: {hint}"):
        Recipe.make(name, task, {}, 0)


def test_weights_and_threads() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 5)).astype(np.float32)
    y = x[:, 0] + rng.normal(size=80)
    recipe = Recipe.make("ridge", "regression", {}, 0)
    weight = np.where(np.arange(80) < 40, 1.0, 1e-9)
    weighted = recipe.predict(recipe.fit(x, y, weight=weight), x)
    np.testing.assert_array_equal(
        weighted, recipe.predict(recipe.fit(x, y, weight=weight, n_jobs=2), x)
    )
    assert np.abs(weighted - recipe.predict(recipe.fit(x, y), x)).max() > 0.01


def test_a_column_without_any_value_is_filled_with_zero() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2)).astype(np.float32)
    x[:, 1] = np.nan
    recipe = Recipe.make("ridge", "regression", {}, 0)
    estimator = recipe.fit(x, x[:, 0].astype(np.float64))
    linear, output = flatten_estimator(estimator, n_features=2)
    assert (linear.arrays()["fill"][1], output.combine) == (0.0, "sum")
    x[0, 1] = 3.0
    np.testing.assert_allclose(linear.sums(x), recipe.predict(estimator, x), rtol=1e-12)
