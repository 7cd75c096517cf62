"""Columns of dates, texts and many gaps, from a table to what the model reads."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from registry.package import load_package
from trainer import DataError
from trainer.cells import read_datetimes
from trainer.dataset import load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

Write = Callable[..., str]
INSTANTS = np.array(["2026-11-30T15:45", "NaT", "1969-12-31"], dtype="M8[us]")


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["2026-11-30T16:45:00+01:00", None, "1969-12-31"]),
        pd.Series([" 20261130T154500Z", "", "19691231"]).replace("", None),
        pd.to_datetime(pd.Series(["2026-11-30T15:45", None, "1969-12-31"]), format="ISO8601"),
        pd.to_datetime(
            pd.Series(["2026-11-30T15:45Z", None, "1969-12-31"]), format="ISO8601", utc=True
        ).dt.tz_convert("Asia/Tokyo"),
        pd.Series([pd.Timestamp("2026-11-30T15:45"), None, pd.Timestamp("1969-12-31").date()]),
    ],
    ids=["texts", "basic texts", "datetime64", "datetime64 with a zone", "objects"],
)
def test_dates_are_read_as_utc(column: pd.Series) -> None:
    found = read_datetimes(column)
    assert found.dtype == INSTANTS.dtype
    assert found.tolist() == INSTANTS.tolist()


def test_a_cell_that_is_no_date_is_named(write: Write, table: pd.DataFrame) -> None:
    days = ["2026-11-30"] * len(table)
    days[2] = "soon"
    wrong = write(table.assign(day=days), '[columns.day]\ntype = "datetime"')
    with pytest.raises(DataError, match=r"119 of 120 cells are dates; line 4 says 'soon'"):
        load_dataset(wrong)


def test_typical_is_empty_where_most_values_are_missing(write: Write, table: pd.DataFrame) -> None:
    rare = [f"x{i % 2}" if i % 4 == 0 else None for i in range(len(table))]
    often = [f"x{i % 2}" if i % 4 else None for i in range(len(table))]
    columns = load_dataset(write(table.assign(rare=rare, often=often))).columns
    assert [(c.nullable, c.typical) for c in columns[-2:]] == [(True, None), (True, "x1")]


def test_the_policy_for_unknown_values_comes_from_the_spec(
    write: Write, table: pd.DataFrame
) -> None:
    more = '[columns.a]\non_unknown = "refuse"'
    columns = load_dataset(write(table, more, on_unknown="missing")).columns
    policies = {column.name: column.on_unknown for column in columns}
    assert policies.pop("a") == "refuse"
    assert set(policies.values()) == {"missing"}


def test_a_package_of_dates_and_texts_loads_and_holds_their_rules(
    write: Write, table: pd.DataFrame, tmp_path: Path
) -> None:
    n = len(table)
    days = pd.date_range("2025-01-01", periods=n, freq="7h").strftime("%Y-%m-%dT%H:%M:%SZ")
    notes = [f"word{i % 7} and word{i % 3}" for i in range(n)]
    stated = '[columns.day]\ntype = "datetime"\n[columns.notes]\ntype = "text"'
    dataset = load_dataset(write(table.assign(day=days, notes=notes), stated))
    day, words = dataset.columns[-2:]
    assert day.parts == ("elapsed", "month", "day", "weekday", "day_of_year", "hour")
    assert words.buckets == 16
    recipe = Recipe.make("random_forest", "regression", {"n_estimators": 3}, 0)
    score = cross_validate(recipe, dataset, folds=2, seed=0)[0]
    write_trial(tmp_path / "package", recipe, dataset, score, fold_seed=0)
    package = load_package(tmp_path / "package")
    assert isinstance(package.golden.rows[0]["day"], str)
    assert "NA" in package.manifest.texts.missing
    x = dataset.matrix(dataset.training)
    assert x.shape[1] == package.manifest.width
