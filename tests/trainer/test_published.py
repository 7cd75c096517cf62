"""The published figure: a forest of depth 3 on Boston, scikit-learn's split with seed 42."""

from pathlib import Path

import pytest

from registry.package import load_package, row_losses
from trainer.dataset import load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

PUBLISHED = 12.693  # the test MSE that the tutorials print; scikit-learn 1.9.1 gives 12.680


def test_the_published_mse_is_reproduced_by_the_written_package(tmp_path: Path) -> None:
    data = load_dataset("boston_published")
    recipe = Recipe.make("random_forest", "regression", {"n_estimators": 100, "max_depth": 3}, 42)
    score = cross_validate(recipe, data, folds=2, seed=0)[0]
    write_trial(tmp_path / "package", recipe, data, score, fold_seed=0)
    predicted = load_package(tmp_path / "package").predict(data.holdout.table)
    assert (len(data.columns), len(data.training.y), len(data.holdout.y)) == (13, 404, 102)
    assert row_losses("regression", "mse", data.holdout.y, predicted).mean() == pytest.approx(
        PUBLISHED, rel=0.01
    )
