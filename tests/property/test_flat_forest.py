"""The flat forest predicts bit for bit what scikit-learn predicts."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from support.registry.kernels import traversals

from registry.package import Column, CrossValidation, Draft, load_package, write_package
from registry.package.model_package import predict_encoded
from trainer.learners.flatten import flatten_estimator
from trainer.learners.tree_nodes import round_down

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]


LABELS = (1e-200, 1.0, 1e100, "constant", "doubling")
SIZES = (1, 15, 16, 17, 100)  # the C kernel takes rows by sixteen


def assert_same_bits(mine: Floats, theirs: Floats) -> None:
    assert mine.shape == theirs.shape
    assert np.array_equal(mine.view(np.uint64), theirs.view(np.uint64))


@dataclass(frozen=True)
class ForestCase:
    """A fitted forest, the rows it was fitted on, and a random generator for more."""

    estimator: Any
    x: Matrix
    rng: np.random.Generator

    def expected(self, x: Matrix) -> Floats:
        if is_regressor(self.estimator):
            return np.asarray(self.estimator.predict(x), dtype=np.float64).reshape(len(x), -1)
        return np.asarray(self.estimator.predict_proba(x), dtype=np.float64)

    def assert_equal_bits(self, x: Matrix) -> None:
        forest, output = flatten_estimator(self.estimator, n_features=x.shape[1])
        expected = self.expected(x)
        assert_same_bits(predict_encoded(forest, output, x), expected)
        for kernel in traversals(forest):
            for n in SIZES:
                assert_same_bits(kernel.sums(x[:n]) / forest.n_trees, expected[:n])
            one_by_one = [kernel.sums_row(row.tobytes()) for row in x]
            assert_same_bits(np.array(one_by_one) / forest.n_trees, expected)


def with_missing_cells(rng: np.random.Generator, x: Matrix, share: float) -> Matrix:
    return np.where(rng.random(x.shape) < share, np.float32(np.nan), x)


def case_table(rng: np.random.Generator, rows: int, features: int, scale: float) -> Matrix:
    """Make continuous, coarse and two-valued columns: ties and equal thresholds occur."""
    x = rng.normal(scale=scale, size=(rows, features))
    for column in range(features):
        kind = rng.integers(3)
        if kind:
            x[:, column] = np.round(x[:, column] / scale, kind % 2) * scale
    return x.astype(np.float32)


def labels(rng: np.random.Generator, shape: tuple[int, int], kind: str | float) -> Floats:
    """Make noise of a scale; or what gives trees of one leaf, or lopsided trees."""
    match kind:
        case "constant":
            return np.full(shape, rng.normal())
        case "doubling":
            return rng.permuted(
                np.repeat(np.exp2(np.arange(shape[0]))[:, None], shape[1], axis=1), axis=0
            )
    return rng.normal(scale=kind, size=shape)


@st.composite
def cases(draw: st.DrawFn, *, most_targets: int = 9) -> ForestCase:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.integers(10, 120))
    features = draw(st.integers(1, 5))
    x = case_table(rng, rows, features, draw(st.sampled_from([1e-30, 1.0, 1e30])))
    x = with_missing_cells(rng, x, draw(st.sampled_from([0.0, 0.0, 0.2])))
    settings = {
        "n_estimators": draw(st.integers(1, 20)),
        "max_depth": draw(st.one_of(st.none(), st.integers(1, 8))),
        "min_samples_leaf": draw(st.integers(1, 4)),
        "max_features": draw(st.sampled_from([1.0, "sqrt"])),
        "bootstrap": draw(st.booleans()),
        "random_state": draw(st.integers(0, 1000)),
    }
    weight = draw(st.sampled_from([None, rng.exponential(size=rows), rng.integers(1, 4, rows)]))
    if draw(st.booleans()):
        kind = draw(st.sampled_from([RandomForestRegressor, ExtraTreesRegressor]))
        y = labels(
            rng, (rows, draw(st.integers(1, most_targets))), draw(st.sampled_from(LABELS))
        ).squeeze()
    else:
        kind = draw(st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]))
        y = rng.integers(0, draw(st.integers(2, 4)), rows)
    return ForestCase(kind(**settings).fit(x, y, sample_weight=weight), x, rng)


def thresholds(case: ForestCase) -> list[tuple[int, float]]:
    trees = [member.tree_ for member in case.estimator.estimators_]
    return [
        (feature, threshold)
        for tree in trees
        for feature, threshold in zip(tree.feature.tolist(), tree.threshold.tolist(), strict=True)
        if feature >= 0 and np.isfinite(threshold)
    ]


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_it_predicts_the_rows_it_was_trained_on_and_others_to_the_bit(case: ForestCase) -> None:
    case.assert_equal_bits(case.x)
    case.assert_equal_bits(
        case.x[case.rng.integers(0, len(case.x), case.x.shape), np.arange(case.x.shape[1])]
    )


@settings(max_examples=40, deadline=None)
@given(case=cases(), share=st.sampled_from([0.1, 0.5, 1.0]))
def test_missing_values_go_where_scikit_learn_sends_them(case: ForestCase, share: float) -> None:
    case.assert_equal_bits(with_missing_cells(case.rng, case.x, share))


@settings(max_examples=40, deadline=None)
@given(case=cases())
def test_rows_on_a_threshold_and_beside_it_take_scikit_learns_side(case: ForestCase) -> None:
    splits = thresholds(case)[:60]
    near = [
        (feature, value)
        for feature, threshold in splits
        for on in [np.float32(threshold), round_down(np.array([threshold]))[0]]
        for value in [
            on,
            np.nextafter(on, np.float32(np.inf)),
            np.nextafter(on, np.float32(-np.inf)),
        ]
    ]
    x = case.x[case.rng.integers(0, len(case.x), len(near))]
    for row, (feature, value) in enumerate(near):
        x[row, feature] = value
    if near:  # data without a split have none
        case.assert_equal_bits(x)


@settings(max_examples=200, deadline=None)
@given(threshold=st.floats(-(2.0**127), 2.0**127), steps=st.integers(-3, 3))
def test_a_threshold_rounded_down_decides_every_float32_as_before(
    threshold: float, steps: int
) -> None:
    value = np.float32(threshold)
    for _ in range(abs(steps)):
        value = np.nextafter(value, np.float32(np.copysign(np.inf, steps)))
    rounded = round_down(np.array([threshold]))
    assert rounded.dtype == np.float32
    assert (value <= rounded[0]) == (np.float64(value) <= threshold)


@settings(max_examples=15, deadline=None)
@given(case=cases(most_targets=1))
def test_a_package_predicts_the_same_bits_once_it_was_written_and_loaded(case: ForestCase) -> None:
    columns = [Column(name=f"x{i}", kind="numeric", nullable=True) for i in range(case.x.shape[1])]
    forest, output = flatten_estimator(case.estimator, n_features=len(columns))
    rows = [
        {c.name: None if np.isnan(v) else v for c, v in zip(columns, row, strict=True)}
        for row in case.x[:4].tolist()
    ]
    draft = Draft(
        {**case_manifest(case), "columns": columns, "output": output},
        forest,
        np.empty(0, dtype=np.uint64),
        rows,
        "",
    )
    with TemporaryDirectory() as folder:
        write_package(Path(folder) / "package", draft)
        package = load_package(Path(folder) / "package")
    predicted = package.predict({column.name: case.x[:, i] for i, column in enumerate(columns)})
    assert_same_bits(predicted, case.expected(case.x))


def case_manifest(case: ForestCase) -> dict[str, Any]:
    regression = is_regressor(case.estimator)
    return {
        "name": "random",
        "task": "regression" if regression else "classification",
        "classes": () if regression else tuple(case.estimator.classes_.tolist()),
        "target": "y",
        "prediction": "prediction",
        "metric": "mse" if regression else "log_loss",
        "algorithm": "random_forest",
        "parameters": {},
        "seed": 0,
        "target_range": (0.0, 1.0),
        "training_rows": len(case.x),
        "fingerprint": "0" * 64,
        "holdout": "0" * 64,
        "cross_validation": CrossValidation(metric="mse", score=0.0, folds=(), seed=0),
        "versions": {},
    }
