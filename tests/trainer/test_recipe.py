"""A recipe: it fits what it says, splits folds fairly, and says clearly what a library refuses."""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer import TrainerError
from trainer.dataset import Dataset
from trainer.recipe import Recipe

TREES = {"n_estimators": 5}


def toy(rows: int = 60) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3)).astype(np.float32)
    return x, x[:, 0].astype(np.float64) + rng.normal(0, 0.1, rows)


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("regression", {}),
        ("regression", {"criterion": "absolute_error", "max_features": "log2"}),
        ("regression", {"criterion": "poisson", "max_depth": "none"}),
        ("regression", {"bootstrap": "false", "max_samples": "0.5"}),
        ("regression", {"min_samples_split": "100000", "min_samples_leaf": "100000"}),
        ("classification", {"criterion": "entropy", "max_features": "0.001"}),
        ("classification", {"criterion": "log_loss", "max_samples": "0.5", "max_depth": "1000"}),
    ],
)
def test_scikit_learn_takes_what_is_allowed(task: str, values: dict[str, str]) -> None:
    x, y = toy()
    y = np.abs(y) if task == "regression" else (y > 0) * 1.0
    recipe = Recipe.make("random_forest", task, {**TREES, **values}, 0)
    predicted = recipe.predict(recipe.fit(x, y), x)
    assert predicted.shape == (60, 1 if task == "regression" else 2)
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("algorithm", ["random_forest", "xgboost"])
def test_the_fitted_estimator_has_the_parameters_of_the_recipe(algorithm: str) -> None:
    if algorithm == "xgboost":
        pytest.importorskip("xgboost")
    recipe = Recipe.make(algorithm, "regression", {"n_estimators": "3.2", "max_depth": "2"}, 7)
    settings = recipe.fit(*toy()).get_params()
    wanted = {**recipe.parameters.model_dump(), "random_state": 7}
    assert {name: settings[name] for name in wanted} == wanted
    assert (settings["n_estimators"], settings["max_depth"]) == (3, 2)


def test_threads_change_nothing(houses: Dataset) -> None:
    x = houses.matrix(houses.training)
    y = houses.training.y
    recipe = Recipe.make("random_forest", "regression", TREES, 0)
    one, two = (recipe.predict(recipe.fit(x, y, n_jobs=n), x) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_the_seed_decides_the_trees() -> None:
    x, y = toy()
    first, same, other = (
        recipe.predict(recipe.fit(x, y), x)
        for recipe in (
            Recipe.make("random_forest", "regression", TREES, seed) for seed in (0, 0, 1)
        )
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_what_scikit_learn_refuses_is_said_in_one_line() -> None:
    x, y = toy()
    recipe = Recipe.make("random_forest", "regression", {**TREES, "criterion": "poisson"}, 0)
    with pytest.raises(TrainerError, match=r"^random_forest cannot be fitted: .*Poisson"):
        recipe.fit(x, y * 0)


@pytest.mark.parametrize(("name", "value"), [("reg_lambda", "1e300"), ("learning_rate", "1e-300")])
def test_what_xgboost_refuses_is_said_in_one_line(name: str, value: str) -> None:
    pytest.importorskip("xgboost")
    with pytest.raises(TrainerError) as caught:
        Recipe.make("xgboost", "regression", {**TREES, name: value}, 0).fit(*toy())
    message = str(caught.value)
    assert message.startswith("xgboost cannot be fitted: ")
    assert name in message
    assert "\n" not in message


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_xgboost_that_is_not_installed_is_named_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(
        TrainerError, match=r"^--model xgboost: the package xgboost is not installed\n"
    ) as caught:
        Recipe.make("xgboost", task, TREES, 0).fit(*toy())
    assert caught.value.hint == "pip install 'tunegate[xgboost]'"
