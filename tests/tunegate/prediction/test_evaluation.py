"""A labelled table is scored, and rows that the model was trained on are told apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from support.registry import toy_data

from registry.package import ModelPackage
from trainer.dataset import Dataset, load_dataset
from trainer.errors import DataError
from tunegate.prediction.evaluation import evaluate_file, evaluate_frame
from tunegate.study.model import Model


@pytest.fixture(scope="module")
def data(homes: ModelPackage) -> Dataset:
    return load_dataset(str(homes.path.parent / "data" / "spec.toml"))


def write(folder: Path, table: pd.DataFrame) -> Path:
    path = folder / "labelled.csv"
    table.to_csv(path, index=False)
    return path


def test_of_the_training_table_the_holdout_alone_is_fresh(
    homes: ModelPackage, data: Dataset
) -> None:
    found = evaluate_file(homes, homes.path.parent / "data" / "table.csv")
    assert (found.rows, found.trained_on) == (240, len(data.training.y))
    predicted = homes.predict(data.holdout.table)[:, 0]
    assert found.fresh is not None
    assert found.fresh["mse"] == pytest.approx(np.square(predicted - data.holdout.y).mean())
    assert found.fresh["mse"] > found.scores["mse"]


def test_another_order_and_more_columns_do_not_hide_trained_rows(
    homes: ModelPackage, data: Dataset, tmp_path: Path
) -> None:
    table = toy_data.homes().sample(frac=1, random_state=1)
    mixed = table[table.columns[::-1]].assign(seller="x")
    found = evaluate_file(homes, write(tmp_path, mixed))
    assert found.trained_on == len(data.training.y)


def test_scores_that_are_no_mean_over_rows_are_what_scikit_learn_gives(
    homes: ModelPackage, flowers: ModelPackage, tmp_path: Path
) -> None:
    table = toy_data.homes(50, seed=7)
    scores = evaluate_file(homes, write(tmp_path, table)).scores
    target = homes.manifest.target
    predicted = Model(homes).predict(table.drop(columns=target))
    assert scores["rmse"] == pytest.approx(
        metrics.root_mean_squared_error(table[target], predicted)
    )
    assert scores["r2"] == pytest.approx(metrics.r2_score(table[target], predicted))
    table = toy_data.flowers(60, seed=4)
    scores = evaluate_file(flowers, write(tmp_path, table)).scores
    kinds = Model(flowers).predict(table[["width", "length"]])
    assert scores["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(table["kind"], kinds)
    )


def test_new_rows_are_all_fresh(homes: ModelPackage, tmp_path: Path) -> None:
    found = evaluate_file(homes, write(tmp_path, toy_data.homes(50, seed=7)))
    assert (found.trained_on, found.fresh_rows) == (0, 50)
    assert found.fresh == found.scores


def test_without_a_dropped_column_it_says_that_it_cannot_tell(
    homes: ModelPackage, tmp_path: Path
) -> None:
    found = evaluate_file(homes, write(tmp_path, toy_data.homes().drop(columns="note")))
    assert (found.trained_on, found.fresh) == (None, None)
    assert "note" in found.untold


def test_rows_without_a_target_do_not_count(homes: ModelPackage, tmp_path: Path) -> None:
    table = toy_data.homes(30, seed=7)
    table.loc[[2, 5], "price"] = np.nan
    found = evaluate_file(homes, write(tmp_path, table))
    assert (found.rows, found.without_target) == (28, 2)


def test_a_wrong_cell_is_named_with_its_line_though_rows_are_left_out(
    homes: ModelPackage, tmp_path: Path
) -> None:
    table = toy_data.homes(30, seed=7)
    table.loc[2, "price"] = np.nan
    table.loc[9, "region"] = "west"
    with pytest.raises(DataError, match="column region, line 11: 'west'"):
        evaluate_file(homes, write(tmp_path, table))


def test_classes_are_scored_by_all_of_the_tasks_metrics(
    flowers: ModelPackage, tmp_path: Path
) -> None:
    table = toy_data.flowers(60, seed=4)
    found = evaluate_file(flowers, write(tmp_path, table))
    shares = flowers.predict({name: table[name].tolist() for name in ("width", "length")})
    right = np.array(["a", "b", "c"])[shares.argmax(axis=1)] == table["kind"].to_numpy()
    assert next(iter(found.scores)) == "log_loss"
    assert found.scores["accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("0.0", "1.0", "2.0")])
def test_numbered_classes_are_found_however_the_table_writes_them(
    tmp_path: Path, labels: tuple[str, ...]
) -> None:
    table = toy_data.flowers()
    numbered = table.assign(kind=table["kind"].map({"a": 0, "b": 1, "c": 2}))
    package = toy_data.package(
        toy_data.dataset(tmp_path / "data", numbered, name="flowers"),
        tmp_path / "package",
        toy_data.CAREFUL,
    )
    written = table.assign(kind=table["kind"].map(dict(zip("abc", labels, strict=True))))
    found = evaluate_file(package, write(tmp_path, written))
    assert found.scores["accuracy"] > 0.5
    assert found.trained_on == package.manifest.training_rows


def test_a_class_that_training_has_not_seen_is_named(flowers: ModelPackage, tmp_path: Path) -> None:
    table = toy_data.flowers(20)
    table.loc[3, "kind"] = "d"
    with pytest.raises(DataError, match="target kind, line 5: 'd' is none of the classes: a, b, c"):
        evaluate_file(flowers, write(tmp_path, table))


def test_a_table_without_the_target_or_without_any_is_refused(
    homes: ModelPackage, tmp_path: Path
) -> None:
    table = toy_data.homes(5)
    with pytest.raises(DataError, match="no column price"):
        evaluate_file(homes, write(tmp_path, table.drop(columns="price")))
    with pytest.raises(DataError, match="no row has a target"):
        evaluate_file(homes, write(tmp_path, table.assign(price=np.nan)))


def test_a_frame_is_scored_as_its_file_is(homes: ModelPackage, tmp_path: Path) -> None:
    table = toy_data.homes()
    from_file = evaluate_file(homes, write(tmp_path, table))
    assert evaluate_frame(homes, table.astype({"size": str})).scores == from_file.scores
    found = Model(homes).evaluate(table)
    assert (found.trained_on, found.scores) == (from_file.trained_on, from_file.scores)
    with pytest.raises(DataError, match="no column price"):
        Model(homes).evaluate(table.drop(columns="price"))
    table.loc[9, "region"] = "west"
    with pytest.raises(DataError, match="column region, row h9: 'west'"):
        Model(homes).evaluate(table.set_axis([f"h{i}" for i in table.index]))


def test_scores_are_shown_in_a_few_words(homes: ModelPackage) -> None:
    found = evaluate_frame(homes, toy_data.homes())
    assert repr(found).startswith(f"<TableEvaluation of {homes!r}: {found.rows} rows, ")
    assert len(repr(found)) < 250
    assert list(found.to_frame().columns) == ["all rows", "fresh rows"]
    assert found.to_frame().loc["rmse", "all rows"] == found.scores["rmse"]
    assert "<th>rmse</th>" in found._repr_html_()
    large = replace(found, scores={"mse": 675_500_000.0}, fresh=None)
    assert "mse 675,500,000" in repr(large)
    assert "675,500,000" in large._repr_html_()


def test_a_series_is_one_row(homes: ModelPackage) -> None:
    table = toy_data.homes()
    one = Model(homes).predict(table.iloc[3])
    assert list(one) == list(Model(homes).predict(table))[3:4]
    assert list(one.index) == [3]
