"""One trial: what it prints, what it writes, and what it never looks at."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.package import load_package
from trainer import TrainerError
from trainer.dataset import Dataset, load_dataset
from trainer.folds import cross_validation_folds
from trainer.recipe import Recipe
from trainer.trial import Score, cross_validate, metric_lines, write_trial

Write = Callable[..., str]
KATIB = re.compile(
    r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
)  # the collector's default filter
TREES = {"n_estimators": 5}


def forest_recipe(task: str = "regression", seed: int = 0) -> Recipe:
    return Recipe.make("random_forest", task, TREES, seed)


def run_trial(folder: Path, data: Dataset, *, seed: int = 0, n_jobs: int = 1) -> str:
    recipe = forest_recipe(data.spec.task, seed)
    score = cross_validate(recipe, data, folds=2, seed=0, n_jobs=n_jobs)[0]
    return write_trial(folder, recipe, data, score, fold_seed=0, n_jobs=n_jobs)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=3))
def test_katib_reads_each_metric_exactly_once_and_to_the_last_bit(means: list[float]) -> None:
    names = ["mse", "log_loss", "mae"][: len(means)]
    lines = list(
        metric_lines([Score(name, (mean,)) for name, mean in zip(names, means, strict=True)])
    )
    found = [(match[1], float(match[2])) for match in KATIB.finditer("\n".join(lines))]
    assert found == list(zip(names, means, strict=True))


@pytest.mark.parametrize(
    "mean", [1e-300, 5e-324, 1e300, 1.7976931348623157e308, 1e-5, 123456789.125, 0.0]
)
def test_a_metric_has_no_exponent_however_small_or_large(mean: float) -> None:
    (line,) = metric_lines([Score("mse", (mean,))])
    assert re.fullmatch(r"mse=\d+\.\d+", line)
    assert float(line.removeprefix("mse=")) == mean


@pytest.mark.parametrize("mean", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_not_finite_is_never_reported(mean: float) -> None:
    with pytest.raises(TrainerError, match=r"^mae is not finite\n"):
        list(metric_lines([Score("mse", (1.0,)), Score("mae", (1.0, mean))]))


@pytest.mark.parametrize(
    ("data", "metrics"),
    [
        ("boston", ["mse", "mae", "rmse", "mape", "rmsle", "r2"]),
        (
            "iris",
            [
                *("log_loss", "brier", "accuracy", "balanced_accuracy"),
                *("f1", "auc", "average_precision"),
            ],
        ),
    ],
)
def test_every_metric_of_the_task_is_scored_the_data_sets_own_first(
    data: str, metrics: list[str]
) -> None:
    loaded = load_dataset(data)
    assert [
        s.metric for s in cross_validate(forest_recipe(loaded.spec.task), loaded, folds=2, seed=0)
    ] == metrics
    last = replace(loaded, spec=loaded.spec.model_copy(update={"metric": metrics[-1]}))
    assert (
        cross_validate(forest_recipe(loaded.spec.task), last, folds=2, seed=0)[0].metric
        == metrics[-1]
    )


def test_a_score_is_the_mean_over_folds_of_the_mean_over_rows(boston: Dataset) -> None:
    x = boston.matrix(boston.training)
    y = boston.training.y
    squares = []
    distances = []
    for training, test in cross_validation_folds(boston, n=3, seed=5):
        error = forest_recipe().fit(x[training], y[training]).predict(x[test]) - y[test]
        squares.append(np.mean(error**2))
        distances.append(np.mean(np.abs(error)))
    mse, mae, *_ = cross_validate(forest_recipe(), boston, folds=3, seed=5)
    assert mse.folds == pytest.approx(squares)
    assert mae.mean == pytest.approx(np.mean(distances))


def test_accuracy_is_reported_as_the_share_that_is_right() -> None:
    scores = cross_validate(forest_recipe("classification"), load_dataset("iris"), folds=3, seed=0)
    means = {score.metric: score.mean for score in scores}
    assert 0.85 < means["accuracy"] <= 1
    assert 0 < means["brier"] < 0.3


def test_the_holdout_is_never_seen(tmp_path: Path, write: Write, table: pd.DataFrame) -> None:
    by = '[split]\nby = ["id"]\n[columns.id]\ntype = "numeric"'
    data = load_dataset(write(table, by))
    held = table["id"].isin(data.holdout.table["id"])
    spoilt = load_dataset(
        write(table.assign(y=table["y"].where(~held, -1e6), a=table["a"].where(~held, 1e6)), by)
    )
    assert spoilt.holdout.y.max() == -1e6
    assert cross_validate(forest_recipe(), spoilt, folds=3, seed=0) == cross_validate(
        forest_recipe(), data, folds=3, seed=0
    )
    for name, loaded in (("data", data), ("spoilt", spoilt)):
        run_trial(tmp_path / name, loaded)
    packages = [load_package(tmp_path / name) for name in ("data", "spoilt")]
    assert packages[0].golden == packages[1].golden
    assert packages[0].manifest.interval == packages[1].manifest.interval
    assert packages[0].manifest.files["model.npz"] == packages[1].manifest.files["model.npz"]
    assert packages[0].manifest.holdout != packages[1].manifest.holdout


def test_the_order_of_the_file_does_not_change_the_package(
    tmp_path: Path, write: Write, table: pd.DataFrame
) -> None:
    first = run_trial(tmp_path / "first", load_dataset(write(table)))
    assert run_trial(tmp_path / "other", load_dataset(write(table.iloc[::-1]))) == first


def test_threads_do_not_change_the_package_and_another_seed_does(
    tmp_path: Path, houses: Dataset
) -> None:
    first = run_trial(tmp_path / "first", houses)
    assert run_trial(tmp_path / "threads", houses, n_jobs=2) == first
    assert run_trial(tmp_path / "seed", houses, seed=1) != first


def test_the_manifest_says_what_was_learned_and_how(tmp_path: Path, houses: Dataset) -> None:
    digest = run_trial(tmp_path / "package", houses)
    package = load_package(tmp_path / "package", digest=digest)
    manifest = package.manifest
    assert (manifest.name, manifest.task, manifest.target, manifest.metric) == (
        "toy",
        "regression",
        "price",
        "mse",
    )
    assert (manifest.columns, manifest.ignored) == (houses.columns, ("note",))
    assert (manifest.fingerprint, manifest.holdout) == (houses.fingerprint, houses.holdout_digest)
    assert manifest.parameters["n_estimators"] == 5
    assert manifest.parameters["criterion"] == "squared_error"
    assert manifest.training_rows == len(package.rows) == len(houses.training.y)
    assert set(package.rows) == set(houses.training.rows)
    assert manifest.target_range == (houses.training.y.min(), houses.training.y.max())
    assert (manifest.cross_validation.metric, len(manifest.cross_validation.folds)) == ("mse", 2)
    assert {"python", "numpy", "pandas", "scikit-learn", "tunegate"} == set(manifest.versions)


def test_column_b_of_boston_is_ignored_unless_it_is_included(
    tmp_path: Path, boston: Dataset
) -> None:
    run_trial(tmp_path / "without", boston)
    run_trial(tmp_path / "with", load_dataset("boston", include=("B",)))
    without, included = (load_package(tmp_path / name).manifest for name in ("without", "with"))
    assert without.ignored == ("B",)
    assert "B" not in [column.name for column in without.columns]
    assert included.ignored == ()
    assert "B" in [column.name for column in included.columns]


def test_the_names_that_katib_and_the_workflow_give_land_in_the_provenance(
    tmp_path: Path, boston: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GIT_COMMIT", raising=False)
    monkeypatch.setenv("KATIB_TRIAL_NAME", "boston-forest-x7k2")
    monkeypatch.setenv("GITHUB_SHA", "abc123")
    run_trial(tmp_path / "package", boston)
    provenance = load_package(tmp_path / "package").manifest.provenance
    assert provenance.to_dict() == {
        "experiment": "boston-forest",
        "trial": "boston-forest-x7k2",
        "git_commit": "abc123",
    }


def test_a_trial_by_hand_has_no_provenance(
    tmp_path: Path, boston: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KATIB_TRIAL_NAME", "GIT_COMMIT", "GITHUB_SHA"):
        monkeypatch.delenv(name, raising=False)
    run_trial(tmp_path / "package", boston)
    assert set(load_package(tmp_path / "package").manifest.provenance.to_dict().values()) == {""}


def test_golden_rows_are_raw_spread_over_the_target_and_one_has_a_gap(
    tmp_path: Path, houses: Dataset
) -> None:
    run_trial(tmp_path / "package", houses)
    golden = json.loads((tmp_path / "package" / "golden.json").read_text())
    assert len(golden["rows"]) == len(golden["predictions"]) == 9
    assert golden["rows"][-1]["age"] is None
    assert {type(row["garden"]) for row in golden["rows"]} == {bool}
    predictions = [p for (p,) in golden["predictions"][:8]]
    assert np.ptp(predictions) > np.ptp(houses.training.y) / 2


def test_the_card_names_target_columns_score_and_notes(tmp_path: Path, boston: Dataset) -> None:
    run_trial(tmp_path / "package", boston)
    card = (tmp_path / "package" / "card.md").read_text()
    score = load_package(tmp_path / "package").manifest.cross_validation.score
    assert card.startswith("# boston\n")
    for part in (
        "Predicts `MEDV`",
        "`LSTAT`",
        f"**{score:.6g}**",
        "| n_estimators | 5 |",
        boston.fingerprint,
        "clean air",
    ):
        assert part in card
    assert "`B`," not in card
