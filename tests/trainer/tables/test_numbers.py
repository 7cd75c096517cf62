"""Numbers as people write them, and what is refused because it could mean two things."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.tables import ReadTable
from trainer.tables.cell_meanings.number_marks import UNKNOWN_MARKS, Marks
from trainer.tables.cell_meanings.number_texts import read_number_texts

ReadColumn = Callable[..., ReadTable]

WRITTEN: list[tuple[list[str], list[float]]] = [
    (["1,234.50", "987.10", "12"], [1234.5, 987.1, 12]),
    (["1.234,50", "987,10", "12"], [1234.5, 987.1, 12]),
    (["1,234,567", "1,234"], [1234567, 1234]),
    (["1.234.567", "1.234"], [1234567, 1234]),
    (["1 234,5", "12 345,25"], [1234.5, 12345.25]),
    (["1\u00a0234,5", "12\u202f345,25"], [1234.5, 12345.25]),
    (["1'234.50", "999.00"], [1234.5, 999]),
    (["2,5", "3,75", "-0,25"], [2.5, 3.75, -0.25]),
    (["0,123", "0,5"], [0.123, 0.5]),
    (["$12.50", "$1,000.00", "-$3.25"], [12.5, 1000, -3.25]),
    (["12,50 €", "1.000,00 €", "7 €"], [12.5, 1000, 7]),
    (["€ 12,50", "€ 1.000,00"], [12.5, 1000]),
    (["CHF 1'234.50", "CHF 99.05"], [1234.5, 99.05]),
    (["EUR 5", "EUR 7.5"], [5, 7.5]),
    (["R$ 5,50", "R$ 7,25"], [5.5, 7.25]),
    (["12.5°C", "-3.0°C", "7°C"], [12.5, -3, 7]),
    (["3.2 km", "4 km"], [3.2, 4]),
    (["36 months", "60 months"], [36, 60]),
    (["10 m²", "12.5 m²"], [10, 12.5]),
    (["5 km/h", "7 km/h"], [5, 7]),
    (["5%", "7.5 %", "100%"], [5, 7.5, 100]),
    (["(12.50)", "3.25", "(1,000.00)"], [-12.5, 3.25, -1000]),
    (["12.50-", "3.25"], [-12.5, 3.25]),
    (["\u22125", "\u22127.5", "3"], [-5, -7.5, 3]),
    (["+5", "-7", "0"], [5, -7, 0]),
    (["1e5", "1.5E-3", "2"], [1e5, 0.0015, 2]),
    (["1,5e3", "2,25e-1"], [1500, 0.225]),
    ([".5", "-.25", "3."], [0.5, -0.25, 3]),
    (["  7 ", "8", " 9"], [7, 8, 9]),
    (["7", "NA", "None", " ", "n/a", "9"], [7, *([np.nan] * 4), 9]),
]


@pytest.mark.parametrize(("cells", "numbers"), WRITTEN, ids=lambda cells: str(cells[0]))
def test_numbers_are_read_as_they_are_meant(
    column: ReadColumn, cells: Sequence[str], numbers: Sequence[float]
) -> None:
    table = column(cells)
    assert not table.findings
    np.testing.assert_array_equal(table.frame["size"].to_numpy(dtype=float), numbers)


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["$5", "$7"], "size: '$' is taken off, the numbers stay"),
        (["1,234.5", "5"], "size: marks between thousands are taken off"),
        (["(5)", "7"], "size: (1) and 1- are read as -1"),
        (["2,5 km", "3 km"], "size: read with a decimal comma"),
    ],
)
def test_what_was_taken_off_is_said(column: ReadColumn, cells: Sequence[str], note: str) -> None:
    assert note in column(cells).notes


@pytest.mark.parametrize(
    "cells",
    [
        *(["c105", "c7", "c22"], ["A1", "B2", "C3"], ["1:30", "12:05", "7:45"]),
        *(["18-25", "26-40", "41-65"], ["192.168.1.1", "10.0.0.1"], ["1.2.3", "1.10.0"]),
        *(["<5", "5-10", ">10"], ["65+", "70+"], ["555 1234", "555 9876"], ["3/4", "1/2"]),
        *(["12345678901234567890123", "12345678901234567890124"], ["0x1F", "0xA0"]),
        *(["1 Main St", "22 Oak Ave", "7 Elm Rd"], ["CHF 3.-", "CHF 5.-"]),
    ],
    ids=lambda cells: cells[0],
)
def test_what_only_looks_like_numbers_stays_text(column: ReadColumn, cells: Sequence[str]) -> None:
    table = column(cells)
    assert not table.findings
    assert list(table.frame["size"]) == cells


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["5", "7", "unknown"], "2 of 3 cells are numbers; line 4 says 'unknown'"),
        (["?", "5", "7", "8", "?"], "3 of 5 cells are numbers; line 2 says '?' (and 1 more)"),
        (["3.2 km", "4 km", "500 m"], "2 of 3 cells are numbers; line 4 says '500 m'"),
        (["$5", "$7", "€9"], "2 of 3 cells are numbers; line 4 says '€9'"),
        (["5%", "0.07", "8%"], "2 of 3 cells are numbers; line 3 says '0.07'"),
        (["1,5", "2,25", "1.234,5,6"], "2 of 3 cells are numbers; line 4 says '1.234,5,6'"),
        (["5", "6", "#DIV/0!"], "2 of 3 cells are numbers; line 4 says '#DIV/0!'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_cell_among_numbers_that_is_none_is_named_with_its_line(
    column: ReadColumn, cells: Sequence[str], problem: str
) -> None:
    finding = column(cells).findings[0]
    assert (finding.column, finding.outcome) == ("size", "refused")
    assert finding.problem == problem
    assert 'columns.size.type = "categorical"' in finding.fixes
    assert 'drop = ["size"]' in finding.fixes


def test_the_three_ways_out_lead_out(column: ReadColumn) -> None:
    cells = ["5", "7", "unknown"]
    missing, kind, _ = column(cells).findings[0].fixes
    assert missing == 'columns.size.missing = ["unknown"]'
    assert column(cells, missing).frame["size"].dtype == np.float64
    assert list(column(cells, kind).frame["size"]) == cells
    assert not column([*cells, "8"], drop=["size"]).findings


@pytest.mark.parametrize("cells", [["1,234", "5,678"], ["12,000", "7"], ["-1,500 €", "2,250 €"]])
def test_a_comma_that_could_be_either_mark_is_refused(
    column: ReadColumn, cells: Sequence[str]
) -> None:
    finding = column(cells).findings[0]
    assert "no cell tells whether its comma" in finding.problem
    assert finding.fixes == ('read.decimal = ","', 'read.thousands = ","')


@pytest.mark.parametrize(
    ("more", "numbers"),
    [
        ('read.decimal = ","', [1.234, 5.678]),
        ('read.decimal = "."', [1234, 5678]),
        ('read.thousands = ","', [1234, 5678]),
    ],
)
def test_the_spec_decides_what_a_comma_means(
    column: ReadColumn, more: str, numbers: Sequence[float]
) -> None:
    assert list(column(["1,234", "5,678"], more).frame["size"]) == numbers


@pytest.mark.parametrize(("other", "numbers"), [("2.5", [1234, 5678]), ("2,5", [1.234, 5.678])])
def test_other_columns_of_the_file_decide_what_a_comma_means(
    read: ReadColumn, other: str, numbers: Sequence[float]
) -> None:
    table = read(f"size;other;price\n1,234;{other};1\n5,678;{other};2\n")
    assert not table.findings
    assert list(table.frame["size"]) == numbers


def test_a_point_before_three_digits_is_a_decimal_one_unless_the_file_has_a_decimal_comma(
    read: ReadColumn,
) -> None:
    assert list(read("size;price\n1.234;1\n5.678;2\n").frame["size"]) == [1.234, 5.678]
    assert list(read("size;price\n1.234;1,5\n5.678;2,5\n").frame["size"]) == [1234, 5678]
    assert list(read("size;price\n1.25;1,5\n5.75;2,5\n").frame["size"]) == [1.25, 5.75]


def test_marks_that_contradict_each_other_are_refused_with_both_lines(
    column: ReadColumn,
) -> None:
    finding = column(["1,234.5", "7", "1.234,5"]).findings[0]
    assert finding.problem == (
        "line 2 says '1,234.5' with a decimal point, and line 4 says '1.234,5' with a decimal comma"
    )


def test_a_stated_number_is_one_or_refused(column: ReadColumn) -> None:
    finding = column(["a", "b", "5"], 'columns.size.type = "numeric"').findings[0]
    assert finding.problem == "1 of 3 cells are numbers; line 2 says 'a' (and 1 more)"


def test_a_stated_category_keeps_its_text(column: ReadColumn) -> None:
    table = column(["007", "1,5", "$3"], 'columns.size.type = "categorical"')
    assert list(table.frame["size"]) == ["007", "1,5", "$3"]


def test_leading_zeros_are_said_to_be_lost(read: ReadColumn) -> None:
    table = read("code,price\n007,1\n012,2\n100,3\n")
    assert list(table.frame["code"]) == [7, 12, 100]
    assert any('columns.code.type = "categorical" keeps them' in note for note in table.notes)


def test_a_target_of_texts_points_to_classification(read: ReadColumn) -> None:
    finding = read("size,price\n1,yes\n2,no\n").findings[0]
    assert finding.problem.startswith("0 of 2 cells are numbers; line 2 says 'yes'")
    assert finding.fixes == ('task = "classification"',)


def test_labels_are_not_taken_for_amounts(read: ReadColumn) -> None:
    table = read("size,price\n1,$5\n2,$7\n", task="classification")
    assert list(table.frame["price"]) == ["$5", "$7"]


@given(
    numbers=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    style=st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", ".")]),
    unit=st.sampled_from(["", " km", "%", " €"]),
)
def test_any_amount_with_cents_is_read_back(
    numbers: list[int], style: tuple[str, str], unit: str
) -> None:
    group, decimal = style
    texts = [
        f"{number / 100:,.2f}".translate(str.maketrans({",": group, ".": decimal})) + unit
        for number in dict.fromkeys(numbers)
    ]
    counts = pa.array([1] * len(texts), pa.int64())
    read = read_number_texts(pa.array(texts), counts, UNKNOWN_MARKS)
    assert read.numbers.tolist() == [number / 100 for number in dict.fromkeys(numbers)]
    assert read.unit == unit.strip()


@given(texts=st.lists(st.text(max_size=12), min_size=1, max_size=10, unique=True))
def test_no_text_breaks_the_reader(texts: list[str]) -> None:
    counts = pa.array([1] * len(texts), pa.int64())
    for marks in (UNKNOWN_MARKS, Marks(commas=1)):
        assert len(read_number_texts(pa.array(texts), counts, marks).numbers) == len(texts)
