"""A written package predicts as its library: sums to the bit, shares as far as exp agrees."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.registry.toy_data import flowers, homes

from registry.package import ModelPackage, Output, load_package, predict_encoded
from trainer.dataset import Dataset, DatasetPart, load_dataset
from trainer.learners.flatten import flatten_estimator
from trainer.learners.tree_nodes import round_down
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

Write = Callable[..., str]
TREES = {"n_estimators": 5}


def write_and_load(folder: Path, recipe: Recipe, data: Dataset) -> ModelPackage:
    score = cross_validate(recipe, data, folds=2, seed=0)[0]
    write_trial(folder / "package", recipe, data, score, fold_seed=0)
    return load_package(folder / "package")


def both_predictions(
    folder: Path, recipe: Recipe, data: Dataset, part: DatasetPart
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Predict with the written package, and with the library."""
    estimator = recipe.fit(data.matrix(data.training), data.training.y)
    return write_and_load(folder, recipe, data).predict(part.table), recipe.predict(
        estimator, data.matrix(part)
    )


def with_gaps(part: DatasetPart) -> DatasetPart:
    """Empty every numeric cell of each fifth row."""
    rows = np.arange(len(part.y)) % 5 == 0
    numeric = {name for name, values in part.table.items() if values.dtype == np.float64}
    return replace(
        part,
        table={n: np.where(rows, np.nan, v) if n in numeric else v for n, v in part.table.items()},
    )


def kinds_of_flowers(write: Write, kinds: list[str]) -> Dataset:
    frame = flowers(rows=400)
    frame.loc[::9, "width"] = np.nan
    return load_dataset(
        write(frame[frame["kind"].isin(kinds)], target="kind", task="classification")
    )


@given(
    threshold=st.floats(-(2.0**127), 2.0**127),
    x=st.floats(allow_nan=False, allow_infinity=False, width=32),
    step=st.integers(-2, 2),
)
def test_a_threshold_rounded_down_decides_as_before(threshold: float, x: float, step: int) -> None:
    rounded = round_down(np.array([threshold]))
    near = np.float32(threshold)
    for _ in range(abs(step)):
        near = np.nextafter(near, np.float32(np.sign(step) * 3e38))
    for value in (np.float32(x), near):
        assert bool(value <= rounded[0]) == bool(np.float64(value) <= threshold)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize(
    "parameters", [{}, {"bootstrap": False, "max_features": 0.5}, {"max_depth": 1}]
)
def test_a_random_forest_answers_to_the_bit_on_and_neighbours_every_threshold(
    task: str, parameters: dict[str, object]
) -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-5, 5, (300, 4)).astype(np.float32) / np.float32(3)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = (rng.random(300) * 3).round(0 if task == "classification" else 9)
    recipe = Recipe.make("random_forest", task, {**TREES, **parameters}, 0)
    estimator = recipe.fit(x, y)
    forest, _ = flatten_estimator(estimator, n_features=4)
    edges = rng.choice(forest.threshold[np.isfinite(forest.threshold)], (500, 4))
    neighbours = [np.nextafter(edges, np.float32(to)) for to in (-9, 9)]
    rows = np.vstack([x, edges, *neighbours, np.full((1, 4), np.nan)]).astype(np.float32)
    shares = forest.sums(rows) / forest.n_trees
    np.testing.assert_array_equal(
        recipe.served_shares(estimator, shares), recipe.predict(estimator, rows)
    )


@pytest.mark.parametrize("gaps", [False, True])
def test_a_written_random_forest_answers_raw_rows_to_the_bit(
    tmp_path: Path,
    houses: Dataset,
    gaps: bool,  # noqa: FBT001
) -> None:
    recipe = Recipe.make("random_forest", "regression", TREES, 0)
    part = with_gaps(houses.holdout) if gaps else houses.holdout
    np.testing.assert_array_equal(*both_predictions(tmp_path, recipe, houses, part))


@pytest.mark.parametrize("kinds", [["a", "b"], ["a", "b", "c"]])
def test_a_forests_package_answers_the_smoothed_shares_that_the_search_scores(
    tmp_path: Path, write: Write, kinds: list[str]
) -> None:
    data = kinds_of_flowers(write, kinds)
    recipe = Recipe.make("random_forest", "classification", TREES, 0)
    mine, theirs = both_predictions(tmp_path, recipe, data, data.holdout)
    np.testing.assert_array_equal(mine, theirs)
    assert mine.min() >= 0.999 / len(kinds) / 6
    assert load_package(tmp_path / "package").manifest.output == Output(smooth=True)


def test_a_written_xgboost_answers_raw_rows_to_the_bit(tmp_path: Path, write: Write) -> None:
    pytest.importorskip("xgboost")
    data = load_dataset(
        write(homes().assign(price=lambda h: h["price"] + 50), target="price", drop=["note"])
    )
    recipe = Recipe.make("xgboost", "regression", TREES, 0)
    for number, part in enumerate((data.training, data.holdout, with_gaps(data.holdout))):
        mine, theirs = both_predictions(tmp_path / str(number), recipe, data, part)
        np.testing.assert_array_equal(mine, theirs)
        assert np.ptp(mine) > 1


@pytest.mark.parametrize(
    ("kinds", "link"),
    [(["a", "b"], "logistic"), (["a", "b", "c"], "softmax")],
    ids=["binary", "multiclass"],
)
def test_xgboosts_probabilities_agree_within_a_millionth(
    tmp_path: Path, write: Write, kinds: list[str], link: str
) -> None:
    pytest.importorskip("xgboost")
    data = kinds_of_flowers(write, kinds)
    recipe = Recipe.make("xgboost", "classification", TREES, 0)
    for number, part in enumerate((data.training, data.holdout, with_gaps(data.holdout))):
        mine, theirs = both_predictions(tmp_path / str(number), recipe, data, part)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)
        assert np.ptp(mine) > 0.2
    manifest = load_package(tmp_path / "0" / "package").manifest
    assert (manifest.output.link, manifest.output.combine, manifest.classes) == (
        link,
        "sum",
        tuple(kinds),
    )
    assert "xgboost" in manifest.versions


def test_xgboost_agrees_where_a_value_is_a_threshold(write: Write) -> None:
    pytest.importorskip("xgboost")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, (300, 3)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = 100 + np.nan_to_num(x[:, 0]) * 2 + np.nan_to_num(x[:, 1]) + rng.normal(0, 0.1, 300)
    recipe = Recipe.make("xgboost", "regression", TREES, 0)
    estimator = recipe.fit(x, y)
    forest, output = flatten_estimator(estimator, n_features=3)
    on_a_threshold = np.isin(
        x[:, 0], np.nextafter(forest.threshold[forest.feature == 0], np.float32(np.inf))
    )
    assert on_a_threshold.any()
    np.testing.assert_array_equal(predict_encoded(forest, output, x), recipe.predict(estimator, x))
