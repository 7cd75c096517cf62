"""What a table may hold, and how each fault is named: what, where, what to do."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from registry.package.columns import MAX_CATEGORIES
from trainer import DataError
from trainer.dataset import load_dataset

Write = Callable[..., str]


def table_error(path: str) -> DataError:
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    return caught.value


def with_cell(table: pd.DataFrame, column: str, row: int, value: object) -> pd.DataFrame:
    return table.assign(
        **{column: [value if i == row else cell for i, cell in enumerate(table[column])]}
    )


@pytest.mark.parametrize(
    ("fields", "column"),
    [({"target": "price"}, "price"), ({"features": ["a", "z"]}, "z"), ({"drop": ["z"]}, "z")],
)
def test_a_missing_column_is_named_with_those_there_are(
    write: Write, table: pd.DataFrame, fields: dict[str, object], column: str
) -> None:
    error = table_error(write(table, **fields))
    assert str(error) == f"table.csv: no column {column}"
    assert error.hint == "columns: id, a, b, y"


@pytest.mark.parametrize("more", ['[split]\nby = ["z"]', '[columns.z]\ntype = "numeric"'])
def test_a_missing_column_is_named_wherever_the_spec_names_it(
    write: Write, table: pd.DataFrame, more: str
) -> None:
    assert str(table_error(write(table, more))) == "table.csv: no column z"


@pytest.mark.parametrize("role", ["features", "drop"])
def test_the_target_is_neither_a_feature_nor_dropped(
    write: Write, table: pd.DataFrame, role: str
) -> None:
    assert "toy: the target y is also a feature or dropped" in str(
        table_error(write(table, **{role: ["a", "y"]}))
    )


@pytest.mark.parametrize(
    ("kind", "cell", "what"),
    [
        ("numeric", "twelve", "119 of 120 cells are numbers; line 9 says 'twelve'"),
        ("boolean", "maybe", "line 9 says 'maybe', which is not true or false"),
        ("boolean", "2", "line 9 says '2', which is not true or false"),
    ],
)
def test_a_cell_of_another_type_is_named_with_its_line(
    write: Write, table: pd.DataFrame, kind: str, cell: str, what: str
) -> None:
    flags = table.assign(b=[f"{i % 2}" for i in range(len(table))])
    error = table_error(write(with_cell(flags, "b", 7, cell), f'[columns.b]\ntype = "{kind}"'))
    assert str(error) == f"column b: {what}"
    assert 'columns.b.type = "categorical"' in error.hint


def test_the_first_of_several_wrong_cells_is_named_and_the_others_are_counted(
    write: Write, table: pd.DataFrame
) -> None:
    wrong = with_cell(with_cell(table, "a", 3, "x"), "a", 90, "y")
    assert str(table_error(write(wrong, '[columns.a]\ntype = "numeric"'))) == (
        "column a: 118 of 120 cells are numbers; line 5 says 'x' (and 1 more)"
    )


@pytest.mark.parametrize("column", ["a", "y"])
@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("inf", "is not finite"),
        ("-inf", "is not finite"),
        ("1e999", "is not finite"),
        ("1e39", "is too large"),
    ],
)
def test_a_number_that_no_tree_can_read_is_named_with_its_line(
    write: Write, table: pd.DataFrame, column: str, cell: str, what: str
) -> None:
    message = str(table_error(write(with_cell(table, column, 0, cell))))
    assert message.startswith(f"column {column}: line 2 says '{float(cell)}', which {what}")


def test_the_largest_float32_is_still_learned_from(write: Write, table: pd.DataFrame) -> None:
    largest = float(np.finfo(np.float32).max)
    data = load_dataset(write(with_cell(table, "a", 0, largest)))
    assert max(data.training.table["a"].max(), data.holdout.table["a"].max()) == largest


def test_a_target_that_is_no_number_points_to_classification(
    write: Write, table: pd.DataFrame
) -> None:
    error = table_error(write(with_cell(table, "y", 4, "high")))
    assert str(error) == "column y: 119 of 120 cells are numbers; line 6 says 'high'"
    assert 'task = "classification"' in error.hint


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_row_without_a_target_is_named_with_its_line(
    write: Write, table: pd.DataFrame, task: str
) -> None:
    wrong = with_cell(with_cell(table, "y", 10, None), "y", 20, None)
    error = table_error(write(wrong, task=task))
    assert str(error) == (
        "column y: 2 of 120 cells of the target are missing, the first in line 12"
    )
    assert 'target_gaps = "drop"' in error.hint


def test_of_too_many_categories_the_most_frequent_are_learned_and_one_for_the_rest(
    write: Write, table: pd.DataFrame
) -> None:
    table = pd.concat([table] * 3, ignore_index=True)
    rare = pd.Series([f"t{i:03}" for i in range(len(table))])
    texts = rare.where(rare.index % 3 > 0, "usual")
    stated = '[columns.text]\ntype = "categorical"'
    dataset = load_dataset(write(table.assign(text=texts), stated))
    column = dataset.columns[-1]
    assert (column.kind, column.other) == ("categorical", True)
    assert len(column.categories) == MAX_CATEGORIES
    assert column.width == MAX_CATEGORIES + 1
    counts = Counter(dataset.training.table["text"].tolist())
    by_frequency = sorted(counts, key=lambda text: (-counts[text], text))
    assert column.categories == tuple(sorted(by_frequency[:MAX_CATEGORIES]))
    assert column.typical == "usual"
    rest = dataset.matrix(dataset.training)[:, -1]
    assert rest.sum() == len(counts) - MAX_CATEGORIES


def test_as_many_categories_as_allowed_leave_no_rest(write: Write, table: pd.DataFrame) -> None:
    texts = pd.Series([f"t{i % MAX_CATEGORIES}" for i in range(len(table))])
    column = load_dataset(write(table.assign(text=texts))).columns[-1]
    assert not column.other


@pytest.mark.parametrize(
    "content",
    ["", "\n\n", "a,b,y\n", 'a,y\n1,"2\n'],
)
def test_a_file_without_rows_or_of_another_format_is_named(
    write: Write, content: str | bytes
) -> None:
    path = write(content)
    message = str(table_error(path))
    assert message.startswith(f"{Path(path).parent / 'table.csv'}: ")
    assert ": no rows" in message or ": not a readable CSV file: " in message


@pytest.mark.parametrize(
    ("source", "reason"), [("none.csv", "No such file or directory"), (".", "Is a directory")]
)
def test_a_source_that_cannot_be_read_is_named_with_the_reason(
    write: Write, source: str, reason: str
) -> None:
    error = table_error(write("", source=source))
    assert f": {reason}" in str(error)
    assert "relative to the TOML file" in error.hint


def test_rows_longer_than_the_header_are_refused_instead_of_shifted(
    write: Write, table: pd.DataFrame
) -> None:
    header, *rows = table.to_csv(index=False).splitlines()
    error = table_error(write("\n".join([header, *(f"{row},5" for row in rows)])))
    assert "rows have more cells than the header" in str(error)


def test_a_comma_at_the_end_of_each_line_changes_nothing(write: Write, table: pd.DataFrame) -> None:
    header, *rows = table.to_csv(index=False).splitlines()
    commas = "\n".join([header, *(f"{row}," for row in rows)])
    assert load_dataset(write(commas)).fingerprint == load_dataset(write(table)).fingerprint


def test_categories_written_as_numbers_keep_their_text(write: Write, table: pd.DataFrame) -> None:
    codes = table.assign(code=[f"{i % 3:03d}" if i else "" for i in range(len(table))])
    column = load_dataset(write(codes, '[columns.code]\ntype = "categorical"')).columns[-1]
    assert column.categories == ("000", "001", "002")


def test_a_long_table_is_typed_as_a_whole(write: Write) -> None:
    wide = ",".join("0" for _ in range(600))
    rows = [f"{i},{'A1' if i == 1199 else '01'},{i % 7},{wide}" for i in range(1200)]
    header = ",".join(["id", "code", "y", *(f"c{i}" for i in range(600))])
    data = load_dataset(
        write("\n".join([header, *rows]), '[columns.code]\ntype = "categorical"', features=["code"])
    )
    assert {*data.training.table["code"], *data.holdout.table["code"]} == {"01", "A1"}


@pytest.mark.parametrize("name", ["nonsense", "files", "sample_image", "svmlight_file", ""])
def test_a_name_that_is_no_table_of_scikit_learn_is_refused(write: Write, name: str) -> None:
    error = table_error(write("", source=f"sklearn:{name}"))
    assert str(error) == f"sklearn:{name}: scikit-learn ships no such table"
    assert "diabetes, iris, wine" in error.hint


def test_any_column_of_a_table_of_scikit_learn_can_be_the_target(write: Write) -> None:
    data = load_dataset(write("", source="sklearn:diabetes", target="bmi"))
    names = [column.name for column in data.columns]
    assert "bmi" not in names
    assert "target" in names
