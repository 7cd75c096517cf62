"""What cross-validation adds to the package: residuals to plot, and an interval that holds."""

from pathlib import Path

import numpy as np
import pytest
from support.registry.toy_data import dataset, flowers, homes

from registry.package import ModelPackage, load_package
from trainer.dataset import Dataset, load_dataset
from trainer.folds import cross_validation_folds
from trainer.recipe import Recipe
from trainer.trial import Score, cross_validate, write_trial

TREES = {"n_estimators": 20}


def package_with_residuals(
    folder: Path, data: Dataset, learner: str = "random_forest", folds: int = 5
) -> ModelPackage:
    recipe = Recipe.make(learner, data.spec.task, TREES, 0)
    score = cross_validate(recipe, data, folds=folds, seed=1)[0]
    write_trial(folder / "package", recipe, data, score, fold_seed=1)
    return load_package(folder / "package")


def test_regression_keeps_what_was_predicted_out_of_fold_and_what_was_seen(tmp_path: Path) -> None:
    data = dataset(tmp_path, homes(200))
    part = data.training
    recipe = Recipe.make("random_forest", "regression", TREES, 0)
    x = data.matrix(part)
    expected = np.empty((len(part.y), 2))
    for training, test in cross_validation_folds(data, n=5, seed=1):
        expected[test, 0] = recipe.fit(x[training], part.y[training]).predict(x[test])
        expected[test, 1] = part.y[test]
    found = package_with_residuals(tmp_path, data).residuals
    assert found is not None
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])


def test_of_a_large_training_part_the_same_400_rows_are_kept_whatever_the_files_order(
    tmp_path: Path,
) -> None:
    table = homes(900)
    one = package_with_residuals(tmp_path / "one", dataset(tmp_path / "one", table)).residuals
    two = package_with_residuals(
        tmp_path / "two", dataset(tmp_path / "two", table.iloc[::-1])
    ).residuals
    assert one is not None
    assert one.shape == (400, 2)
    np.testing.assert_array_equal(one, two)
    # A fair sample: no end of the target is left out.
    assert np.quantile(one[:, 1], [0.1, 0.5, 0.9]) == pytest.approx(
        table["price"].quantile([0.1, 0.5, 0.9]), abs=1.5
    )


def test_classification_keeps_the_likeliest_class_the_true_one_and_the_share(
    tmp_path: Path,
) -> None:
    data = dataset(tmp_path, flowers(300))
    package = package_with_residuals(tmp_path, data)
    assert package.residuals is not None
    likeliest, true, share = package.residuals.T
    recipe = Recipe.make("random_forest", "classification", TREES, 0)
    means = {score.metric: score.mean for score in cross_validate(recipe, data, folds=5, seed=1)}
    assert (likeliest == true).mean() == pytest.approx(
        means["accuracy"], abs=0.01
    )  # folds differ in size by a row
    assert (
        np.bincount(true.astype(int)).tolist() == np.bincount(data.training.y.astype(int)).tolist()
    )
    assert 1 / 3 <= share.min() < share.max() <= 1
    assert package.manifest.interval is None
    assert package.interval(np.zeros((1, 1))) is None


def test_a_score_without_predictions_gives_a_package_without_pairs_and_interval(
    tmp_path: Path,
) -> None:
    recipe = Recipe.make("random_forest", "regression", TREES, 0)
    write_trial(
        tmp_path / "package", recipe, dataset(tmp_path, homes()), Score("mse", (1.0,)), fold_seed=0
    )
    package = load_package(tmp_path / "package")
    assert (package.residuals, package.manifest.interval, package.interval(np.zeros((1, 1)))) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize("learner", ["random_forest", "xgboost"])
def test_nine_of_ten_fresh_observations_lie_in_the_interval(tmp_path: Path, learner: str) -> None:
    pytest.importorskip(learner if learner == "xgboost" else "sklearn")
    held = []
    for split in range(8):
        package = package_with_residuals(
            tmp_path / str(split), dataset(tmp_path / str(split), homes(250, seed=split)), learner
        )
        fresh = homes(500, seed=1000 + split)
        table = {column.name: fresh[column.name].to_numpy() for column in package.manifest.columns}
        ends = package.interval(package.predict(table))
        assert ends is not None
        held.append(((ends[:, 0] <= fresh["price"]) & (fresh["price"] <= ends[:, 1])).mean())
    assert 0.86 <= np.mean(held) <= 0.95
    assert min(held) > 0.75


def test_the_measured_coverage_is_near_the_nominal_and_both_are_on_the_card(tmp_path: Path) -> None:
    package = package_with_residuals(tmp_path, load_dataset("diabetes"))
    stated = package.manifest.interval
    assert stated is not None
    assert (stated.method, stated.coverage) == ("cv_residuals", 0.9)
    assert 0.85 <= stated.measured <= 0.95
    card = (package.path / "card.md").read_text()
    assert f"90 % prediction interval: the prediction ± {stated.half_width:.4g}." in card
    assert f"{100 * stated.measured:.1f} % of the training rows" in card


def test_the_half_width_is_the_quantile_of_the_distances_with_one_row_to_come(
    tmp_path: Path,
) -> None:
    package = package_with_residuals(tmp_path, dataset(tmp_path, homes(200)))
    assert package.residuals is not None
    distances = np.sort(np.abs(package.residuals[:, 0] - package.residuals[:, 1]))
    stated = package.manifest.interval
    assert stated is not None
    assert stated.half_width == distances[int(np.ceil(0.9 * (len(distances) + 1))) - 1]
    assert (distances <= stated.half_width).mean() >= 0.9
