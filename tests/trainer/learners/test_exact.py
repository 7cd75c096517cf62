"""Each learner's package answers as its library does: sums bit for bit, shares within its bound.

A linear model's sums are within the bound of another order of additions. The rows are random ones,
those on and next to thresholds, and rows with gaps. By default a few
thousand are compared for each learner; `TUNEGATE_PROOF_ROWS=1000000` compares a million.
"""

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.registry.kernels import linear_sums, traversals
from threadpoolctl import threadpool_limits

from registry.package import FlatLinear, Output, Predictor, predict_encoded
from trainer.errors import TrainerError
from trainer.learners import LEARNERS, find_learner
from trainer.learners.flatten import (
    allowed_difference,
    flatten_estimator,
    proof_rows,
    refuse_difference,
    takes_missing,
)
from trainer.recipe import Recipe

Matrix = NDArray[np.float32]
FEATURES = 4
ROWS_AN_EXAMPLE = 1000
EXAMPLES = max(6, int(os.environ.get("TUNEGATE_PROOF_ROWS", "0")) // ROWS_AN_EXAMPLE)
COUNTS = {"iterations", "max_iter", "n_estimators"}
DEPTHS = {
    "depth": [1, 6],
    "max_depth": [2, 6, 30],
    "num_leaves": [2, 31],
    "max_leaf_nodes": [2, 31],
}
NUMBERS = {"alpha": [1e-3, 0.1, 10.0], "l1_ratio": [0.05, 1.0], "C": [1e-2, 1.0, 100.0]}
SMALL_LEAVES = {"min_samples_leaf", "min_child_samples"}
INSTALLED = [name for name, learner in LEARNERS.items() if find_spec(learner.library)]


def table(rng: np.random.Generator, rows: int, gaps: float) -> Matrix:
    """Make coarse and fine columns of several scales, with ties, zeros and gaps."""
    x = rng.normal(size=(rows, FEATURES)) * rng.choice([1e-30, 1.0, 1e30], FEATURES)
    x[:, 0] = rng.integers(-3, 4, rows)
    x[:, 1] = np.round(rng.normal(size=rows), 1)
    found = x.astype(np.float32)
    found[rng.random(found.shape) < gaps] = np.nan
    return found


def target(rng: np.random.Generator, x: Matrix, classes: int) -> NDArray[np.float64]:
    known = np.nan_to_num(x[:, :2]).astype(np.float64)
    score = known[:, 0] + known[:, 1] ** 2 + rng.normal(scale=0.3, size=len(x))
    if not classes:
        return score * rng.choice([1e-3, 1.0, 1e5]) + rng.choice([0.0, 1e4])
    return (np.argsort(np.argsort(score)) * classes // len(score)).astype(np.float64)


def parameters(draw: st.DrawFn, name: str) -> dict[str, Any]:
    fields = LEARNERS[name].parameters.model_fields
    values: dict[str, Any] = {each: draw(st.integers(1, 25)) for each in COUNTS & set(fields)}
    choices = {**DEPTHS, **NUMBERS}
    for each in sorted(choices.keys() & fields.keys()):
        values[each] = draw(st.sampled_from(choices[each]))
    for each in SMALL_LEAVES & set(fields):
        values[each] = draw(st.integers(1, 5))
    if "learning_rate" in fields:
        values["learning_rate"] = draw(st.sampled_from([0.05, 0.3, 1.0]))
    return values


@pytest.mark.parametrize("name", INSTALLED)
@settings(max_examples=EXAMPLES, derandomize=EXAMPLES == 6)
@given(data=st.data())
def test_a_package_answers_as_its_library(name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    tasks = {"regression": [0, 0], "classification": [2, 3]}
    known = LEARNERS[name].classes
    classes = data.draw(st.sampled_from([n for task in known for n in tasks[task]]))
    gaps = data.draw(st.sampled_from([0.0, 0.2]))
    if name == "gradient_boosting":
        gaps = 0.0
    x = table(rng, 150, gaps)
    y = target(rng, x, classes)
    weight = data.draw(st.sampled_from([None, rng.exponential(size=len(x)) + 0.1]))
    task = "classification" if classes else "regression"
    values = data.draw(st.composite(parameters)(name))
    recipe = Recipe.make(name, task, values, seed=1)
    estimator = recipe.fit(x, y, weight=weight)
    predictor, output = flatten_estimator(estimator, n_features=FEATURES)
    if recipe.smooth:
        output = output.replace(smooth=True)
    rows = proof_rows(predictor, x, gaps=takes_missing(estimator))
    more = table(rng, ROWS_AN_EXAMPLE - min(len(rows), 900), gaps)
    rows = np.vstack([rows, more])
    theirs = recipe.predict(estimator, rows)
    allowed = allowed_difference(
        predictor,
        output,
        rows,
        theirs,
        share_error=recipe.learner.share_error if classes else 0.0,
        largest_target=0.0 if classes else np.abs(y).max(),
    )
    assert isinstance(predictor, FlatLinear) or set(np.unique(allowed)) <= {
        0.0,
        recipe.learner.share_error,
    }
    refuse_difference(predict_encoded(predictor, output, rows), theirs, allowed=allowed, name=name)
    kernels_agree(predictor, rows)


def kernels_agree(predictor: Predictor, rows: Matrix) -> None:
    """Compare both kernels, by row and by batch, also where values are infinite."""
    infinite = rows[:50].copy()
    infinite[::2, 0] = np.inf
    infinite[1::2, 1] = -np.inf
    some = np.vstack([rows[::9], infinite])
    kernels = list(
        linear_sums(predictor) if isinstance(predictor, FlatLinear) else traversals(predictor)
    )
    sums = [kernel.sums(some) for kernel in kernels]
    for kernel, found in zip(kernels, sums, strict=True):
        assert np.array_equal(found, sums[0], equal_nan=True)
        by_row = [kernel.sums_row(row.tobytes()) for row in some]
        assert np.array_equal(by_row, found, equal_nan=True)


@pytest.mark.parametrize("classes", [0, 2])
def test_xgboosts_sums_are_its_own_float32_sums(classes: int) -> None:
    pytest.importorskip("xgboost")
    rng = np.random.default_rng(0)
    x = table(rng, 200, 0.1)
    task = "classification" if classes else "regression"
    recipe = Recipe.make("xgboost", task, {"n_estimators": 300, "max_depth": 3}, 0)
    estimator = recipe.fit(x, target(rng, x, classes))
    forest, output = flatten_estimator(estimator, n_features=FEATURES)
    assert (forest.value.dtype, output.base) == (np.float32, ())
    margins = estimator.predict(x, output_margin=True)
    for kernel in traversals(forest):
        assert np.array_equal(kernel.sums(x)[:, 0], margins.astype(np.float64))


def test_lightgbm_reads_tiny_values_as_zero() -> None:
    pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    x = np.repeat(rng.integers(-2, 3, (200, 1)), FEATURES, axis=1).astype(np.float32)
    recipe = Recipe.make("lightgbm", "regression", {"n_estimators": 5}, 0)
    estimator = recipe.fit(x, x[:, 0].astype(np.float64) ** 2 + x[:, 0])
    forest, output = flatten_estimator(estimator, n_features=FEATURES)
    edge = np.float32(1e-35)
    beyond = np.nextafter(edge, np.float32(1))
    tiny = np.array([0, edge, beyond, 1e-40], dtype=np.float32)
    rows = np.repeat(np.concatenate([tiny, -tiny])[:, None], FEATURES, axis=1)
    assert np.array_equal(predict_encoded(forest, output, rows), recipe.predict(estimator, rows))


def test_a_package_that_answers_differently_is_refused_with_the_row() -> None:
    mine = np.array([[1.0], [2.0], [np.nan]])
    theirs = np.array([[1.0], [2.0 + 1e-9], [np.nan]])
    refuse_difference(mine, theirs, allowed=1e-8, name="lightgbm")
    with pytest.raises(TrainerError, match=r"lightgbm .* 1 of 3 rows differ, the first has 2 for"):
        refuse_difference(mine, theirs, allowed=0, name="lightgbm")
    with pytest.raises(TrainerError, match="1 of 3 rows differ"):
        refuse_difference(mine, np.nan_to_num(mine), allowed=9, name="lightgbm")


def test_what_no_learner_made_is_refused() -> None:
    with pytest.raises(TrainerError, match=r"^Output cannot be packaged"):
        find_learner(Output())


REFUSED = [
    ("xgboost", {"booster": "dart"}, "dart"),
    ("xgboost", {"objective": "count:poisson"}, "count:poisson"),
    ("lightgbm", {"boosting_type": "rf", "subsample": 0.5}, "rf"),
    ("lightgbm", {"objective": "poisson"}, "poisson"),
    ("lightgbm", {"linear_tree": True}, "linear"),
    ("lightgbm", {"zero_as_missing": True}, "zero_as_missing"),
    ("catboost", {"loss_function": "Poisson"}, "Poisson"),
    ("catboost", {"grow_policy": "Lossguide"}, "grow_policy"),
    ("gradient_boosting", {"loss": "huber", "init": "other"}, "init"),
    ("hist_gradient_boosting", {"loss": "poisson"}, "poisson"),
    ("hist_gradient_boosting", {"categorical_features": [0]}, "categorical"),
]


@pytest.mark.parametrize(("name", "changes", "word"), REFUSED)
def test_a_model_that_a_package_cannot_hold_is_refused_by_name(
    name: str, changes: dict[str, Any], word: str
) -> None:
    pytest.importorskip(LEARNERS[name].library)
    rng = np.random.default_rng(0)
    x = np.abs(rng.normal(size=(100, FEATURES))).astype(np.float32)
    x[:, 0] = rng.integers(0, 5, 100)
    few = {each: 2 for each in COUNTS if each in LEARNERS[name].parameters.model_fields}
    recipe = Recipe.make(name, "regression", few, 0)
    learner = LEARNERS[name]
    estimator = learner.make_estimator(recipe.parameters, "regression", seed=0, n_jobs=1)
    if changes.get("init"):
        from sklearn.dummy import DummyRegressor

        changes = {**changes, "init": DummyRegressor()}
    with threadpool_limits(1):
        estimator.set_params(**changes).fit(x, np.abs(x[:, 0] * 3 + x[:, 1]) + 1)
    with pytest.raises(TrainerError, match=rf"{word}.*cannot be packaged") as caught:
        flatten_estimator(estimator, n_features=FEATURES)
    assert caught.value.hint
