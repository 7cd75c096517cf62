"""A fitted model of one's own as a package: exact, or refused by the step's name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeRegressor
from support.registry.own_models import raw_table, write_flowers, write_houses
from support.registry.toy_data import flowers

import tunegate as tg
from trainer.dataset import load_dataset
from trainer.errors import TrainerError

FOREST = {"n_estimators": 4, "random_state": 0}
Write = Callable[..., str]


@pytest.fixture
def houses(tmp_path: Path) -> str:
    return write_houses(tmp_path)


def by_kind(numbers: BaseEstimator | str) -> ColumnTransformer:
    zones = ("zones", OneHotEncoder(handle_unknown="ignore"), ["zone"])
    return ColumnTransformer([zones, ("numbers", numbers, ["age", "area"])])


PIPELINES = [
    make_pipeline(by_kind("passthrough"), RandomForestRegressor(**FOREST)),
    make_pipeline(
        by_kind(make_pipeline(SimpleImputer(), StandardScaler())), RandomForestRegressor(**FOREST)
    ),
    make_pipeline(
        by_kind(make_pipeline(StandardScaler(), SimpleImputer(strategy="median"), MinMaxScaler())),
        ExtraTreesRegressor(**FOREST),
    ),
    make_pipeline(
        by_kind(Pipeline([("fill", SimpleImputer(strategy="constant", fill_value=-1))])),
        MinMaxScaler(feature_range=(-1, 3)),
        DecisionTreeRegressor(random_state=0),
    ),
]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=["trees", "scaled", "moved", "tree"])
def test_a_pipelines_package_answers_as_the_pipeline_to_the_bit(
    houses: str, tmp_path: Path, pipeline: BaseEstimator
) -> None:
    data = load_dataset(houses)
    pipeline.fit(raw_table(data), data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    frame = raw_table(data)
    assert np.array_equal(model.predict(frame), pipeline.predict(frame))
    assert model.manifest.parameters.get("n_estimators", 4) == 4
    assert model.manifest.interval


def test_a_classifiers_package_gives_its_own_shares(tmp_path: Path) -> None:
    spec = write_flowers(tmp_path, flowers(rows=200))
    data = load_dataset(spec)
    labels = np.array(data.classes)[data.training.y.astype(int)]
    names = [column.name for column in data.columns if column.kind == "numeric"]
    forest = RandomForestClassifier(**FOREST).fit(raw_table(data, names), labels)
    model = tg.package(forest, spec, tmp_path / "p", folds=2)
    frame = raw_table(data)
    shares = forest.predict_proba(frame[names].astype(np.float32))
    assert np.array_equal(model.predict_proba(frame), shares)
    assert not model.manifest.output.smooth


def refused(
    pipeline: BaseEstimator, houses: str, tmp_path: Path, names: list[str] | None = None
) -> str:
    data = load_dataset(houses)
    pipeline.fit(raw_table(data, names), data.training.y)
    with pytest.raises(TrainerError) as caught:
        tg.package(pipeline, houses, tmp_path / "p", folds=2)
    assert caught.value.hint
    assert not (tmp_path / "p").exists()
    return str(caught.value)


NUMBERS = ["area", "age"]
UNSUPPORTED = [
    (make_pipeline(SimpleImputer(), PCA(1), RandomForestRegressor(**FOREST)), "the step PCA"),
    (make_pipeline(SimpleImputer(), LinearRegression()), "LinearRegression cannot be packaged"),
    (make_pipeline(SimpleImputer(), Ridge(fit_intercept=False)), "fit_intercept: not a hyper"),
    (
        make_pipeline(FunctionTransformer(np.abs), RandomForestRegressor(**FOREST)),
        "the step FunctionTransformer",
    ),
    (
        make_pipeline(SimpleImputer(add_indicator=True), RandomForestRegressor(**FOREST)),
        "add_indicator",
    ),
    (
        make_pipeline(StandardScaler(), HistGradientBoostingRegressor(max_iter=2)),
        "a scaler before hist_gradient_boosting",
    ),
    (
        make_pipeline(SimpleImputer(), GradientBoostingRegressor(**FOREST)),
        "gradient_boosting cannot be fitted: Input X contains NaN",
    ),
    (RandomForestRegressor(**FOREST, max_leaf_nodes=5), "max_leaf_nodes: not a hyperparameter"),
]


@pytest.mark.parametrize(("pipeline", "words"), UNSUPPORTED, ids=[w for _, w in UNSUPPORTED])
def test_what_a_package_cannot_hold_is_refused_by_its_name(
    houses: str, tmp_path: Path, pipeline: BaseEstimator, words: str
) -> None:
    assert words in refused(pipeline, houses, tmp_path, NUMBERS)


ENCODED = [
    (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), DecisionTreeRegressor()),
    (OrdinalEncoder(), HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3)),
    (TargetEncoder(), RandomForestRegressor(**FOREST)),
    (make_pipeline(TargetEncoder(), StandardScaler()), ExtraTreesRegressor(**FOREST)),
]


@pytest.mark.parametrize(("encoder", "final"), ENCODED, ids=["tree", "hist", "target", "scaled"])
def test_categories_that_became_numbers_are_divided_as_the_trees_divide_them(
    houses: str, tmp_path: Path, encoder: BaseEstimator, final: BaseEstimator
) -> None:
    data = load_dataset(houses)
    columns = ColumnTransformer([("zones", encoder, ["zone"])], remainder="passthrough")
    pipeline = make_pipeline(columns, final).fit(raw_table(data), data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    frame = pd.concat([raw_table(data).assign(zone=zone) for zone in "abc"], ignore_index=True)
    assert len(np.unique(pipeline.predict(frame)[:: len(data.training.y)])) > 1
    assert np.array_equal(model.predict(frame), pipeline.predict(frame))


HIST = {"max_iter": 8, "min_samples_leaf": 3, "categorical_features": ["zone"]}
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
DIVIDED = {
    "by name": HistGradientBoostingRegressor(**HIST),
    "encoded": make_pipeline(
        ColumnTransformer([("zones", CODES, ["zone"])], remainder="passthrough"),
        HistGradientBoostingRegressor(**{**HIST, "categorical_features": [0]}),
    ),
}


@pytest.mark.parametrize("model", DIVIDED.values(), ids=DIVIDED)
def test_what_histogram_boosting_divides_as_categories_is_divided_so(
    tmp_path: Path, model: BaseEstimator
) -> None:
    houses = write_houses(tmp_path, missing_zones=True)
    data = load_dataset(houses)
    model.fit(raw_table(data), data.training.y)
    packaged = tg.package(model, houses, tmp_path / "p", folds=2)
    zones = ["a", "b", "c", None]
    frame = pd.concat([raw_table(data).assign(zone=zone) for zone in zones], ignore_index=True)
    assert len(np.unique(model.predict(frame)[:: len(data.training.y)])) > 1
    assert np.array_equal(packaged.predict(frame), model.predict(frame))


@pytest.mark.parametrize(
    ("steps", "words"), [([], "column age has no categories"), ([SimpleImputer()], "of numbers")]
)
def test_numbers_divided_as_categories_are_refused(
    houses: str, tmp_path: Path, steps: list[BaseEstimator], words: str
) -> None:
    model = HistGradientBoostingRegressor(max_iter=2, categorical_features=["age"])
    if steps:
        model.set_params(categorical_features=[1])
    assert words in refused(make_pipeline(*steps, model), houses, tmp_path, NUMBERS)


def test_several_columns_may_be_encoded(tmp_path: Path) -> None:
    houses = write_houses(tmp_path, more_zones=True)
    data = load_dataset(houses)
    encoders = [("zones", OrdinalEncoder(), ["zone"]), ("wards", TargetEncoder(), ["ward"])]
    columns = ColumnTransformer(encoders, remainder="passthrough")
    pipeline = make_pipeline(columns, RandomForestRegressor(**FOREST))
    pipeline.fit(raw_table(data), data.training.y)
    model = tg.package(pipeline, houses, tmp_path / "p", folds=2)
    assert np.array_equal(model.predict(raw_table(data)), pipeline.predict(raw_table(data)))


def test_a_target_encoder_of_three_classes_has_a_number_for_each(tmp_path: Path) -> None:
    table = flowers(rows=200)
    table["spot"] = np.random.default_rng(7).choice(["x", "y", "z"], len(table))
    spec = write_flowers(tmp_path, table)
    data = load_dataset(spec)
    labels = np.array(data.classes)[data.training.y.astype(int)]
    columns = ColumnTransformer([("spots", TargetEncoder(), ["spot"])])
    pipeline = make_pipeline(columns, RandomForestClassifier(**FOREST))
    pipeline.fit(raw_table(data), labels)
    model = tg.package(pipeline, spec, tmp_path / "p", folds=2)
    frame = raw_table(data)
    assert np.array_equal(model.predict_proba(frame), pipeline.predict_proba(frame))


def test_trees_that_would_become_too_large_are_refused(
    houses: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.own_model.set_splits.MAX_NODES", 100)
    columns = ColumnTransformer([("zones", OrdinalEncoder(), ["zone"])], remainder="passthrough")
    pipeline = make_pipeline(columns, RandomForestRegressor(**FOREST))
    assert "more than 100 nodes" in refused(pipeline, houses, tmp_path)


def test_a_target_encoder_before_a_learner_of_float64_is_refused(
    houses: str, tmp_path: Path
) -> None:
    encoder = ColumnTransformer([("zones", TargetEncoder(), ["zone"])], remainder="passthrough")
    pipeline = make_pipeline(encoder, HistGradientBoostingRegressor(max_iter=2))
    assert "before hist_gradient_boosting" in refused(pipeline, houses, tmp_path)


def test_other_columns_than_the_data_sets_are_refused(houses: str, tmp_path: Path) -> None:
    x = np.ones((30, 1))
    forest = RandomForestRegressor(**FOREST)
    forest.fit(pd.DataFrame({"garden": x[:, 0]}), x[:, 0])
    with pytest.raises(TrainerError, match="does not learn from: garden"):
        tg.package(forest, houses, tmp_path / "p")
    forest.fit(x, x[:, 0])
    with pytest.raises(TrainerError, match="1 unnamed columns, the data set has 3"):
        tg.package(forest, houses, tmp_path / "p")
