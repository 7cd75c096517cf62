"""Names, empty columns, spaces, missing markers, totals and gaps of the target."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer import DataError
from trainer.tables import ReadTable

Read = Callable[..., ReadTable]
Refusal = Callable[..., DataError]


def test_a_second_column_of_a_name_is_called_otherwise(read: Read, refusal: Refusal) -> None:
    table = read("size, size,size.1,price\n1,2,3,4\n")
    assert list(table.frame.columns) == ["size", "size.2", "size.1", "price"]
    assert any('the later ones are called "size.2"' in note for note in table.notes)
    assert "several columns are called price" in str(refusal("price,size,price\n1,2,3\n"))


def test_an_unnamed_column_is_named_with_the_line_that_drops_it(read: Read) -> None:
    table = read(",size,price\n0,1,2\n1,3,4\n")
    assert list(table.frame.columns) == ["Unnamed: 0", "size", "price"]
    assert any('write drop = ["Unnamed: 0"]' in note for note in table.notes)


def test_an_empty_column_is_left_out_unless_the_spec_names_it(read: Read) -> None:
    content = "size,,price\n1,,2\n3,NA,4\n"
    table = read(content)
    assert list(table.frame.columns) == ["size", "price"]
    assert "columns without a name and a value are dropped: Unnamed: 1" in table.notes
    assert "Unnamed: 1" in read(content, drop=["Unnamed: 1"]).frame


def test_spaces_are_taken_off_once_for_all_columns(read: Read) -> None:
    content = "colour;kind ;price\nred ;a;1\nred;b\u00a0;2\n"
    table = read(content)
    assert list(table.frame["colour"]) == ["red", "red"]
    assert list(table.frame["kind"]) == ["a", "b"]
    assert sum("spaces around texts" in note for note in table.notes) == 1
    kept = read(content, "read.strip = false")
    assert list(kept.frame["colour"]) == ["red ", "red"]
    assert "kind " in kept.frame


def test_missing_markers_are_those_of_the_spec(read: Read) -> None:
    content = "a,b,price\n?,?,1\n-999,x,2\n 5 , ? ,3\n"
    table = read(content, 'columns.a.missing = ["-999"]', missing=["?"])
    np.testing.assert_array_equal(table.frame["a"].to_numpy(dtype=float), [np.nan, np.nan, 5])
    assert list(table.frame["b"].isna()) == [True, False, True]


def test_totals_are_refused_and_a_footer_is_left_out(read: Read) -> None:
    content = "city,size,price\nA,1,2\nB,3,4\nTotal,4,6\n"
    finding = read(content).findings[0]
    assert (
        finding.problem == "line 4, the last one, says 'Total': it looks like the sum of the others"
    )
    assert finding.fixes == ("read.footer = 1",)
    assert len(read(content, "read.footer = 1").frame) == 2


def test_gaps_of_the_target_are_counted_or_left_out(read: Read) -> None:
    content = "size,price\n1,2\n2,\n3,NA\n4,5\n"
    finding = read(content).findings[0]
    assert finding.problem == "2 of 4 cells of the target are missing, the first in line 3"
    table = read(content, target_gaps="drop")
    assert list(table.frame["price"]) == [2, 5]
    assert table.line_of(1) == 5
    assert "2 of 4 rows have no price and are left out" in table.notes


def test_columns_that_are_dropped_are_not_looked_at(read: Read) -> None:
    table = read("size,price\n1,2\nx,3\n2,4\n", drop=["size"])
    assert not table.findings
    assert list(table.frame["size"]) == ["1", "x", "2"]


@pytest.mark.parametrize("field", ["weight", "split.time"])
def test_every_column_that_the_spec_names_must_exist(refusal: Refusal, field: str) -> None:
    assert str(refusal("size,price\n1,2\n", f'{field} = "none"')).endswith("no column none")
