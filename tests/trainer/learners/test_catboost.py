"""CatBoost: the bits of a leaf's number, gaps on either side, and its own errors."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from registry.package import make_row_predictor, predict_encoded
from trainer import TrainerError
from trainer.learners.flatten import flatten_estimator
from trainer.recipe import Recipe

pytest.importorskip("catboost")
FEW = {"iterations": 9, "depth": 3}


def table() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = x[:, 0] * 3.0 + (x[:, 1] > 0) * x[:, 2] + 100
    x[rng.random(x.shape) < 0.2] = np.nan
    return x, y


@pytest.mark.parametrize("mode", ["Min", "Max"])
def test_a_gap_goes_where_catboost_sends_it(mode: str) -> None:
    x, y = table()
    recipe = Recipe.make("catboost", "regression", FEW, 0)
    estimator = recipe.learner.make_estimator(recipe.parameters, "regression", seed=0, n_jobs=1)
    estimator.set_params(nan_mode=mode).fit(x, y)
    forest, output = flatten_estimator(estimator, n_features=3)
    assert (output.combine, len(output.base), forest.n_members) == ("sum", 1, 9)
    wanted = recipe.predict(estimator, x)
    assert np.array_equal(predict_encoded(forest, output, x), wanted)
    one = make_row_predictor(forest, output)
    assert np.array_equal([one(row.tobytes()) for row in x], wanted)


def test_a_seed_makes_a_fit_repeatable() -> None:
    x, y = table()
    values: dict[str, Any] = {**FEW, "rsm": 0.4}
    one, same, other = (
        Recipe.make("catboost", "regression", values, seed).fit(x, y).predict(x)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_data_that_catboost_refuses_are_refused_with_its_reason() -> None:
    x, y = table()
    with pytest.raises(TrainerError, match=r"catboost cannot be fitted: .*targets are equal"):
        Recipe.make("catboost", "regression", FEW, 0).fit(x, y * 0)
