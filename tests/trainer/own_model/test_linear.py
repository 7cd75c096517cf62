"""A linear model of one's own as a package: within its bound, and refitted as it was fitted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from support.registry.own_models import raw_table, write_flowers, write_houses
from support.registry.toy_data import flowers

import tunegate as tg
from trainer.dataset import Dataset, load_dataset
from trainer.errors import TrainerError
from trainer.recipe import Recipe

CLOSE = 1e-11  # of numbers of a few hundred
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
ZONES = OneHotEncoder(handle_unknown="ignore")


@pytest.fixture
def houses(tmp_path: Path) -> str:
    return write_houses(tmp_path)


def by_kind(zones: BaseEstimator, *numbers: BaseEstimator) -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("zones", zones, ["zone"]),
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), *numbers), ["age", "area"]),
        ]
    )


def refit(model: tg.Model, data: Dataset) -> np.ndarray:
    """Return what the recipe that the gate would fit predicts for the training part."""
    manifest = model.manifest
    recipe = Recipe.of_dataset(data, manifest.algorithm, dict(manifest.parameters), manifest.seed)
    x = data.matrix(data.training)
    return recipe.predict(recipe.fit(x, data.training.y), x)[:, 0]


PIPELINES = [
    (make_pipeline(by_kind(ZONES), StandardScaler(), Ridge(5)), "all"),
    (make_pipeline(by_kind(ZONES, StandardScaler()), Ridge(5)), "numbers"),
    (make_pipeline(by_kind(ZONES), Ridge(5)), "none"),
    (make_pipeline(by_kind(ZONES), StandardScaler(), Lasso(0.7)), "all"),
    (make_pipeline(by_kind(ZONES, StandardScaler()), ElasticNet(0.3, l1_ratio=0.6)), "numbers"),
]


@pytest.mark.parametrize(("pipeline", "scale"), PIPELINES, ids=[s for _, s in PIPELINES])
def test_its_package_answers_as_it_does_and_the_gate_fits_the_same_model_again(
    houses: str, tmp_path: Path, pipeline: BaseEstimator, scale: str
) -> None:
    data = load_dataset(houses)
    frame = raw_table(data)
    frame["age"] = frame["age"].fillna(frame["age"].mean())
    pipeline.fit(frame, data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    gaps = raw_table(data)
    np.testing.assert_allclose(model.predict(gaps), pipeline.predict(gaps), rtol=CLOSE)
    assert model.manifest.parameters["scale"] == scale
    np.testing.assert_allclose(refit(model, data), pipeline.predict(frame), rtol=1e-3)


ENCODED = [by_kind(CODES), by_kind(TargetEncoder()), by_kind(make_pipeline(CODES, MinMaxScaler()))]


@pytest.mark.parametrize("columns", ENCODED, ids=["ordinal", "target", "scaled"])
def test_a_categorys_number_becomes_a_term_of_each_category(
    houses: str, tmp_path: Path, columns: ColumnTransformer
) -> None:
    data = load_dataset(houses)
    pipeline = make_pipeline(columns, Ridge()).fit(raw_table(data), data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    frame = pd.concat([raw_table(data).assign(zone=zone) for zone in "abc"], ignore_index=True)
    np.testing.assert_allclose(model.predict(frame), pipeline.predict(frame), rtol=CLOSE)


def test_a_column_that_is_used_twice_has_both_terms(houses: str, tmp_path: Path) -> None:
    data = load_dataset(houses)
    columns = ColumnTransformer(
        [
            ("filled", SimpleImputer(), ["age", "area"]),
            ("scaled", make_pipeline(SimpleImputer(), MinMaxScaler()), ["age"]),
            ("zones", ZONES, ["zone"]),
            ("codes", CODES, ["zone"]),
        ]
    )
    pipeline = make_pipeline(columns, Ridge()).fit(raw_table(data), data.training.y)
    with pytest.raises(TrainerError, match="scaled in a way that the gate could not repeat"):
        tg.package(pipeline, houses, tmp_path / "p", folds=2)
    columns.set_params(scaled=SimpleImputer(strategy="mean"))
    pipeline.fit(raw_table(data), data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    frame = raw_table(data)
    np.testing.assert_allclose(model.predict(frame), pipeline.predict(frame), rtol=CLOSE)
    columns.set_params(scaled=SimpleImputer(strategy="constant", fill_value=-1))
    pipeline.fit(raw_table(data), data.training.y)
    with pytest.raises(TrainerError, match="column age: its empty cells are filled in two ways"):
        tg.package(pipeline, houses, tmp_path / "q", folds=2)


@pytest.mark.parametrize("n_kinds", [2, 3])
def test_a_classifiers_shares_are_its_own(tmp_path: Path, n_kinds: int) -> None:
    table = flowers(rows=200)
    kinds = sorted(table["kind"].unique())[:n_kinds]
    spec = write_flowers(tmp_path, table[table["kind"].isin(kinds)])
    data = load_dataset(spec)
    names = [column.name for column in data.columns if column.kind == "numeric"]
    labels = np.array(data.classes)[data.training.y.astype(int)]
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=3.0))
    pipeline.fit(raw_table(data, names), labels)
    model = tg.package(pipeline, spec, tmp_path / "p", folds=2)
    frame = raw_table(data)
    shares = pipeline.predict_proba(frame[names].astype(np.float32).astype(float))
    np.testing.assert_allclose(model.predict_proba(frame), shares, rtol=0, atol=1e-13)
    assert shares.shape[1] == n_kinds


def test_a_column_that_nobody_fills_is_refused(houses: str, tmp_path: Path) -> None:
    data = load_dataset(houses)
    columns = ["age", "area"]
    known = data.training.table["age"] == data.training.table["age"]
    frame = raw_table(data, columns)[known]
    model = make_pipeline(StandardScaler(), Ridge()).fit(frame, data.training.y[known])
    with pytest.raises(TrainerError, match="column age may be empty, and no step fills it"):
        tg.package(model, houses, tmp_path / "p", folds=2)
