"""Importances and out-of-bag scores: they find what matters, and are the same in each run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from support.registry.toy_data import dataset, flowers, homes

from registry.package import Importance
from trainer.dataset import Dataset, load_dataset
from trainer.recipe import Recipe
from trainer.scoring import importance, out_of_bag
from trainer.scoring.importance import ImportanceMeter
from trainer.scoring.out_of_bag import fit_whole
from trainer.trial import cross_validate

Write = Callable[..., str]


def measured(data: Dataset, *, trees: int = 25, seed: int = 0) -> tuple[Importance, ...]:
    recipe = Recipe.of_dataset(data, "random_forest", {"n_estimators": trees}, seed)
    meter = ImportanceMeter(data, recipe)
    cross_validate(recipe, data, folds=3, seed=0, meter=meter)
    return meter.importances()


def test_what_the_price_depends_on_comes_first_and_noise_last(tmp_path: Path) -> None:
    chance = np.random.default_rng(1).normal(size=300)
    found = measured(dataset(tmp_path, homes(300).assign(note=chance), drop=()))
    assert [each.column for each in found[:2]] == ["size", "region"]
    noise = next(each for each in found if each.column == "note")
    for each in found:
        assert each.low <= each.mean <= each.high
    assert found[0].low > noise.high
    assert abs(noise.mean) < found[0].mean / 20


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "auc"])
def test_a_column_that_helps_has_an_importance_above_0_whatever_the_metrics_direction(
    tmp_path: Path, metric: str
) -> None:
    found = measured(dataset(tmp_path, flowers(300), metric=metric))
    assert all(each.low > 0 for each in found)


def test_the_same_seed_measures_the_same(tmp_path: Path) -> None:
    data = dataset(tmp_path, homes(200))
    assert measured(data) == measured(data)
    assert measured(data) != measured(data, seed=1)


def test_batches_and_samples_change_no_order_of_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataset(tmp_path, homes(300))
    at_once = measured(data)
    monkeypatch.setattr(importance, "BATCH_CELLS", 1)
    assert measured(data) == at_once
    monkeypatch.setattr(importance, "MAX_ROWS", 40)
    sampled = measured(data)
    assert sampled != at_once
    assert sampled[0].column == at_once[0].column


def test_the_out_of_bag_score_is_scikit_learns(boston: Dataset) -> None:
    recipe = Recipe.of_dataset(boston, "random_forest", {"n_estimators": 60}, 0)
    x = boston.matrix(boston.training)
    y = boston.training.y
    theirs = RandomForestRegressor(60, max_features=1.0, oob_score=True, random_state=0).fit(x, y)
    model = fit_whole(recipe, boston, x)
    assert model.out_of_bag == np.square(y - theirs.oob_prediction_).mean()
    np.testing.assert_array_equal(model.estimator.predict(x), theirs.predict(x))


def test_a_large_tables_out_of_bag_score_is_that_of_some_of_its_rows(
    boston: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_bag, "MAX_ROWS", 100)
    recipe = Recipe.of_dataset(boston, "random_forest", {"n_estimators": 60}, 0)
    x = boston.matrix(boston.training)
    theirs = RandomForestRegressor(60, max_features=1.0, oob_score=True, random_state=0)
    seen = theirs.fit(x, boston.training.y).oob_prediction_
    rows = np.linspace(0, len(x) - 1, 100).astype(int)
    expected = np.square(boston.training.y - seen)[rows].mean()
    assert fit_whole(recipe, boston, x).out_of_bag == expected


@pytest.mark.parametrize("values", [{"n_estimators": 2}, {"bootstrap": False}])
def test_without_rows_left_out_there_is_no_out_of_bag_score(
    boston: Dataset, values: dict[str, object]
) -> None:
    recipe = Recipe.of_dataset(boston, "random_forest", {"n_estimators": 30, **values}, 0)
    assert fit_whole(recipe, boston, boston.matrix(boston.training)).out_of_bag is None


def test_the_out_of_bag_score_is_in_the_data_sets_metric() -> None:
    iris = load_dataset("iris")
    accurate = replace(iris, spec=iris.spec.model_copy(update={"metric": "accuracy"}))
    recipe = Recipe.of_dataset(accurate, "random_forest", {"n_estimators": 60}, 0)
    score = fit_whole(recipe, accurate, accurate.matrix(accurate.training)).out_of_bag
    assert score is not None
    assert 0.9 < score <= 1


@pytest.mark.parametrize("split", ['by = ["customer"]', 'time = "month"'])
def test_rows_that_tell_of_each_other_give_no_out_of_bag_score(tmp_path: Path, split: str) -> None:
    frame = homes(300).assign(customer=[f"c{row % 60}" for row in range(300)])
    frame["month"] = pd.date_range("2020-01-01", periods=300).strftime("%Y-%m-%d")
    data = dataset(tmp_path, frame, split=split)
    recipe = Recipe.of_dataset(data, "random_forest", {"n_estimators": 60}, 0)
    assert fit_whole(recipe, data, data.matrix(data.training)).out_of_bag is None
