"""Weights of rows and classes, and the transform of the target, from the spec to the package."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.registry.toy_data import flowers, homes

from registry.package import from_log, load_package
from trainer import DataError
from trainer.dataset import Dataset, load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial
from trainer.weights import balanced_weights

Write = Callable[..., str]
TREES = {"n_estimators": 30, "min_samples_leaf": 3}


def recipe_of(data: Dataset, algorithm: str = "random_forest") -> Recipe:
    return Recipe.of_dataset(data, algorithm, {"n_estimators": 30}, 0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -2.0, 3.0, -1.0], r"weight w, line 3: negative \(60 in all\)"),
        ([1.0, 1.0, np.nan, 1.0], r"weight w, line 4: missing \(30 in all\)"),
        ([0.0] * 4, "weight w: every row weighs 0"),
        (["1", "2", "x", "3"], "column w: line 4 says 'x', which is not a number"),
    ],
)
def test_a_weight_that_cannot_be_one_is_named(
    write: Write, table: pd.DataFrame, weights: list[object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(write(table.assign(w=weights * 30), weight="w"))


def test_the_weight_is_not_learned_from_and_follows_its_row(
    write: Write, table: pd.DataFrame
) -> None:
    data = load_dataset(write(table.assign(w=table["a"].abs()), weight="w"))
    assert "w" not in [column.name for column in data.columns]
    assert data.training.weight is not None
    np.testing.assert_array_equal(data.training.weight, abs(data.training.table["a"]))


def test_weights_change_the_fingerprint_and_without_them_it_is_the_old_one(
    write: Write, table: pd.DataFrame
) -> None:
    weighted = table.assign(w=1)
    plain = load_dataset(write(weighted, drop=["w"])).fingerprint
    assert load_dataset(write(weighted, weight="w", drop=["w"])).fingerprint != plain


def test_a_fit_and_a_score_go_by_the_weights(write: Write) -> None:
    frame = homes(300).assign(w=lambda h: np.where(h["garden"], 50.0, 0.01))
    frame["price"] = np.where(frame["garden"], frame["price"], 1000.0)
    data = load_dataset(write(frame, target="price", drop=["note", "garden"], weight="w"))
    weighted = cross_validate(recipe_of(data), data, folds=3, seed=0)[0].mean
    plain = load_dataset(write(frame, target="price", drop=["note", "garden", "w"]))
    assert weighted < cross_validate(recipe_of(plain), plain, folds=3, seed=0)[0].mean / 100


def test_balanced_weights_give_each_class_the_same_total() -> None:
    y = np.repeat([0.0, 1.0, 2.0], [50, 5, 20])
    own = np.random.default_rng(0).uniform(0, 2, 75)
    for weight in (None, own):
        totals = np.bincount(y.astype(int), weights=balanced_weights(y, weight))
        assert totals == pytest.approx([totals[0]] * 3)


def test_balanced_classes_find_more_of_a_rare_one(write: Write) -> None:
    frame = flowers(600)
    rare = frame[(frame["kind"] != "c") | (frame.index % 12 == 0)]
    fields = {"target": "kind", "task": "classification"}
    found = {}
    for class_weight in ("none", "balanced"):
        data = load_dataset(write(rare, class_weight=class_weight, **fields))
        recipe = Recipe.of_dataset(data, "random_forest", {**TREES, "max_depth": 3}, 0)
        scores = {s.metric: s.mean for s in cross_validate(recipe, data, folds=5, seed=0)}
        found[class_weight] = scores["balanced_accuracy"]
    assert found["balanced"] > found["none"] + 0.03


@pytest.mark.parametrize("algorithm", ["random_forest", "xgboost"])
def test_the_package_predicts_in_the_targets_unit_what_the_trial_did(
    tmp_path: Path, write: Write, algorithm: str
) -> None:
    if algorithm == "xgboost":
        pytest.importorskip("xgboost")
    frame = homes(300).assign(price=lambda h: np.exp(h["price"] / 5).round(3))
    fields = {"target": "price", "drop": ["note"], "target_transform": "log1p"}
    data = load_dataset(write(frame, **fields))
    recipe = recipe_of(data, algorithm)
    score = cross_validate(recipe, data, folds=3, seed=0)[0]
    write_trial(tmp_path / "package", recipe, data, score, fold_seed=0)
    package = load_package(tmp_path / "package")
    assert package.manifest.output.link == "expm1"
    x = data.matrix(data.training)
    estimator = recipe.fit(x, data.training.y)
    wanted = from_log(estimator.predict(x).astype(np.float64))
    found = package.predict(data.training.table)[:, 0]
    if algorithm == "random_forest":
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
    assert package.residuals is not None
    assert package.residuals[:, 1].max() == data.training.y.max()
    assert package.manifest.interval is not None
    assert package.manifest.interval.half_width > 1


@pytest.mark.parametrize(
    ("fields", "value", "message"),
    [
        ({"target_transform": "log1p"}, -1, r"target y, line 9: -1 \(1 in all\): log\(1 \+ target"),
        ({"metric": "rmsle"}, -3, r"target y, line 9: -3 \(1 in all\): log\(1 \+ target\) does"),
        ({"metric": "mape"}, 0, r"target y, line 9: 0 \(1 in all\): mape divides by the target"),
    ],
)
def test_a_target_without_a_logarithm_or_a_share_is_refused_with_its_line(
    write: Write, table: pd.DataFrame, fields: dict[str, str], value: float, message: str
) -> None:
    positive = table.assign(y=(table["y"].abs() + 1).where(table["id"] != 7, value))
    with pytest.raises(DataError, match=message):
        load_dataset(write(positive, **fields))


def test_a_class_that_an_early_window_has_not_seen_gets_the_least_share(write: Write) -> None:
    frame = flowers(200).assign(day=np.arange(200))
    frame = frame[(frame["kind"] != "c") | (frame["day"] > 60)]
    spec = {"target": "kind", "task": "classification", "drop": ["day"], "metric": "brier"}
    data = load_dataset(write(frame, '[split]\ntime = "day"', **spec))
    scores = cross_validate(recipe_of(data), data, folds=4, seed=0)
    assert scores[0].metric == "brier"
    found = scores[0].out_of_fold
    assert found is not None
    assert found.predicted.shape[1] == 3
    trees = recipe_of(data).parameters.model_dump()["n_estimators"]
    least = (1 / 3) / (trees + 1)
    assert found.predicted[found.fold == 0][:, 2] == pytest.approx(least)
    assert len(found.rows) < len(data.training.y)
