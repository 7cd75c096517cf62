"""A loaded data set: parts, columns, classes, and what is too little to learn from."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from support.registry.toy_data import flowers, homes

from trainer import DataError, load_spec
from trainer.dataset import Dataset, load_dataset
from trainer.part_sizes import MIN_HOLDOUT, MIN_PER_CLASS, MIN_TRAINING
from trainer.tables import read_table

Write = Callable[..., str]


def dataset_error(path: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    return caught.value


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [
        ("boston", 506, 12, ()),
        ("boston_published", 506, 13, ()),
        ("diabetes", 442, 10, ()),
        ("iris", 150, 4, (0, 1, 2)),
        ("wine", 178, 13, (0, 1, 2)),
        ("breast_cancer", 569, 30, (0, 1)),
    ],
)
def test_the_built_in_data_sets_load(
    name: str, rows: int, columns: int, classes: tuple[int, ...]
) -> None:
    data = load_dataset(name)
    assert len(data.training.y) + len(data.holdout.y) == rows
    assert data.matrix(data.training).shape == (len(data.training.y), columns)
    assert data.classes == classes


def test_boston_has_thirteen_columns_and_learns_from_all_but_b_unless_asked(
    boston: Dataset,
) -> None:
    assert read_table(load_spec("boston")).frame.shape == (506, 14)
    assert "B" not in [column.name for column in boston.columns]
    assert "B" in [column.name for column in load_dataset("boston", include=("B",)).columns]


def test_columns_get_their_kind_from_the_table(houses: Dataset) -> None:
    kinds = {column.name: (column.kind, column.nullable) for column in houses.columns}
    assert kinds == {
        "size": ("numeric", False),
        "age": ("numeric", True),
        "region": ("categorical", False),
        "garden": ("boolean", False),
    }
    assert houses.columns[2].categories == ("east", "north", "south")


def test_the_spec_overrules_the_kind_that_the_table_suggests(write: Write) -> None:
    frame = homes().assign(garden=lambda h: h["garden"].astype(int), rooms=lambda h: h["note"] % 3)
    more = '[columns]\ngarden.type = "boolean"\nrooms.type = "categorical"'
    data = load_dataset(write(frame, more, target="price", drop=["note"]))
    assert {column.name: column.kind for column in data.columns}["garden"] == "boolean"
    assert set(data.training.table["garden"]) == {True, False}
    assert data.columns[-1].categories == ("0", "1", "2")


def test_booleans_may_have_gaps(write: Write) -> None:
    frame = homes().assign(garden=lambda h: h["garden"].where(h["note"] % 5 > 0, None))
    data = load_dataset(write(frame, target="price", drop=["note"]))
    assert (data.columns[-1].kind, data.columns[-1].nullable) == ("boolean", True)
    assert np.isnan(data.matrix(data.training)[:, -1]).any()


def test_columns_are_described_by_the_training_part_alone_but_for_their_gaps(
    write: Write, table: pd.DataFrame
) -> None:
    by = '[split]\nby = ["id"]\n[columns.id]\ntype = "numeric"'
    held = table["id"].isin(load_dataset(write(table, by)).holdout.table["id"])
    odd = table.assign(a=table["a"].where(~held, 1e6), b=table["b"].where(~held, np.nan))
    before = load_dataset(write(table, by))
    after = load_dataset(write(odd, by))
    assert after.holdout.table["a"].min() == 1e6
    gaps = {column.name: column.nullable for column in after.columns}
    assert gaps == {"id": False, "a": False, "b": True}
    assert [column.replace(nullable=False) for column in after.columns] == list(before.columns)


def test_features_are_taken_in_the_order_of_the_spec_and_without_what_is_dropped(
    write: Write, table: pd.DataFrame
) -> None:
    data = load_dataset(write(table, features=["b", "id", "a"], drop=["id"]))
    assert [column.name for column in data.columns] == ["b", "a"]


def test_no_column_left_to_learn_from_is_refused(write: Write, table: pd.DataFrame) -> None:
    assert (
        str(dataset_error(write(table, drop=["id", "a", "b"])))
        == "toy: no feature is left to learn from"
    )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_constant_target_is_refused(write: Write, table: pd.DataFrame, task: str) -> None:
    message = str(dataset_error(write(table.assign(y=3.5), task=task)))
    assert message == "target y: every row says '3.5', so there is nothing to learn"


def test_a_target_that_is_constant_in_the_training_part_is_refused(
    write: Write, table: pd.DataFrame
) -> None:
    by = '[split]\nmethod = "hash"\nby = ["id"]\n[columns.id]\ntype = "numeric"'
    held = table["id"].isin(load_dataset(write(table, by)).holdout.table["id"])
    assert "y: constant in the training part" in str(
        dataset_error(write(table.assign(y=held * 1.0), by))
    )


@pytest.mark.parametrize("kind", ["numeric", "boolean", "categorical"])
def test_a_column_without_any_value_is_refused(
    write: Write, table: pd.DataFrame, kind: str
) -> None:
    error = dataset_error(write(table.assign(empty=np.nan), f'[columns.empty]\ntype = "{kind}"'))
    assert str(error) == "column empty: no value in the training part"
    assert error.hint == "put it into `drop`"


def test_too_few_rows_are_counted_with_what_is_needed(write: Write, table: pd.DataFrame) -> None:
    error = dataset_error(write(table.head(20)))
    assert "toy: too few rows" in str(error)
    assert f"{MIN_TRAINING} + {MIN_HOLDOUT} rows are needed" in error.hint
    small = '[split]\nmethod = "seeded"\nholdout = 0.05'
    assert f"too few rows: 6 in the holdout, at least {MIN_HOLDOUT} needed" in str(
        dataset_error(write(table, small))
    )
    large = '[split]\nmethod = "seeded"\nholdout = 0.9'
    assert f"too few rows: 12 in the training part, at least {MIN_TRAINING}" in str(
        dataset_error(write(table, large))
    )


def test_a_holdout_that_leaves_no_row_to_train_on_is_refused(
    write: Write, table: pd.DataFrame
) -> None:
    message = str(dataset_error(write(table, '[split]\nmethod = "seeded"\nholdout = 0.999')))
    assert message == "too few rows: 120, with [split] holdout = 0.999"


def test_too_few_rows_of_a_class_are_counted(write: Write) -> None:
    frame = flowers(rows=150)
    rare = frame.assign(kind=frame["kind"].where(frame.index > MIN_PER_CLASS - 2, "rare"))
    error = dataset_error(write(rare, target="kind", task="classification"))
    assert str(error).startswith("class 'rare': too few rows: ")
    assert "collect more rows" in error.hint


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no", "yes"], ("no", "yes")),
        ([True, False], (False, True)),
        ([2, 1], (1, 2)),
        ([10.0, 9.0], (9, 10)),
        ([1.5, 0.5], ("0.5", "1.5")),
    ],
)
def test_classes_are_known_by_what_the_table_says(
    write: Write, table: pd.DataFrame, labels: list[object], classes: tuple[object, ...]
) -> None:
    data = load_dataset(write(table.assign(y=labels * 60), task="classification"))
    assert data.classes == classes
    assert [type(label) for label in data.classes] == [type(label) for label in classes]
    assert set(data.training.y) == {0.0, 1.0}


def test_a_part_takes_rows_of_everything_together(houses: Dataset) -> None:
    part = houses.training.take(np.array([3, 1]))
    assert part.rows.tolist() == [houses.training.rows[3], houses.training.rows[1]]
    assert part.y.tolist() == [houses.training.y[3], houses.training.y[1]]
    assert part.table["region"].tolist() == [houses.training.table["region"][i] for i in (3, 1)]


def test_a_category_that_training_never_saw_is_none_of_the_known_ones(houses: Dataset) -> None:
    part = houses.training.take(np.array([0]))
    strange = replace(part, table={**part.table, "region": np.array(["west"], dtype=object)})
    assert houses.matrix(strange)[0, 2:5].tolist() == [0, 0, 0]


def test_a_gap_that_only_held_out_rows_have_is_a_gap_of_the_column(
    write: Write, table: pd.DataFrame
) -> None:
    by = '[split]\nby = ["id"]\n[columns.id]\ntype = "numeric"'
    whole = load_dataset(write(table, by))
    assert not any(column.nullable for column in whole.columns)
    held = table["id"].isin(whole.holdout.table["id"])
    data = load_dataset(write(table.assign(a=table["a"].mask(held)), by))
    assert {column.name for column in data.columns if column.nullable} == {"a"}
