"""Dates as people write them."""

from collections.abc import Callable, Sequence

import pytest

from trainer.tables import ReadTable

ReadColumn = Callable[..., ReadTable]


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (["31.12.2026", "01.02.2026"], ["2026-12-31", "2026-02-01"]),
        (["31.12.26", "1.2.26"], ["2026-12-31", "2026-02-01"]),
        (["31/12/2026", "01/02/2026"], ["2026-12-31", "2026-02-01"]),
        (["12/31/2026", "01/02/2026"], ["2026-12-31", "2026-01-02"]),
        (["31-12-2026", "01-02-2026"], ["2026-12-31", "2026-02-01"]),
        (["2026/12/31", "2026/02/01"], ["2026-12-31", "2026-02-01"]),
        (["2026.12.31", "2026.02.01"], ["2026-12-31", "2026-02-01"]),
        (["31 Dec 2026", "1 Feb 2026"], ["2026-12-31", "2026-02-01"]),
        (["December 31, 2026", "February 1, 2026"], ["2026-12-31", "2026-02-01"]),
        (["31-Dec-2026", "01-Feb-2026"], ["2026-12-31", "2026-02-01"]),
        (["2026-12", "2026-02"], ["2026-12-01", "2026-02-01"]),
        (["12/2026", "2/2026"], ["2026-12-01", "2026-02-01"]),
        (["Dec 2026", "Feb 2026"], ["2026-12-01", "2026-02-01"]),
        (["31.12.2026 23:59", "01.02.2026 00:00"], ["2026-12-31T23:59:00", "2026-02-01T00:00:00"]),
        (
            ["12/31/2026 11:59 PM", "1/2/2026 1:00 AM"],
            ["2026-12-31T23:59:00", "2026-01-02T01:00:00"],
        ),
    ],
    ids=lambda cells: cells[0],
)
def test_dates_become_iso_texts_and_it_is_said(
    column: ReadColumn, cells: Sequence[str], texts: Sequence[str]
) -> None:
    table = column(cells)
    assert not table.findings
    assert list(table.frame["size"]) == texts
    assert any(note.startswith("size: dates are read as %") for note in table.notes)


@pytest.mark.parametrize(
    "cells",
    [
        ["2026-12-31", "2026-02-01"],
        ["2026-12-31T23:59:00", "2026-02-01T00:00:00"],
        ["2026-12-31 23:59:00.123", "2026-02-01 00:00:00"],
        ["2026-12-31T23:59:00Z", "2026-02-01T00:00:00+02:00"],
    ],
    ids=lambda cells: cells[0],
)
def test_iso_texts_stay_as_they_are(column: ReadColumn, cells: Sequence[str]) -> None:
    table = column(cells)
    assert (table.notes, table.findings) == (("table.csv is read with separator tab",), ())
    assert list(table.frame["size"]) == cells


def test_a_day_that_could_be_a_month_is_refused_with_the_line_to_paste(column: ReadColumn) -> None:
    cells = ["03/04/2026", "05/06/2026"]
    finding = column(cells).findings[0]
    assert finding.problem == (
        "line 2 says '03/04/2026', and no cell tells whether the day or the month comes first"
    )
    american, european = sorted(finding.fixes, reverse=True)
    assert european == 'columns.size.date_format = "%d/%m/%Y"'
    assert list(column(cells, european).frame["size"]) == ["2026-04-03", "2026-06-05"]
    assert list(column(cells, american).frame["size"]) == ["2026-03-04", "2026-05-06"]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["2026-12-31", "2026-02-01", "soon"], "2 of 3 cells are dates; line 4 says 'soon'"),
        (
            ["2026-12-31", "2026-02-30", "2026-02-01"],
            "2 of 3 cells are dates; line 3 says '2026-02-30'",
        ),
        (
            ["31.12.2026", "01.02.2026", "2026-01-01"],
            "2 of 3 cells are dates; line 4 says '2026-01-01'",
        ),
    ],
    ids=lambda value: str(value)[:25],
)
def test_a_cell_among_dates_that_is_none_is_named(
    column: ReadColumn, cells: Sequence[str], problem: str
) -> None:
    finding = column(cells).findings[0]
    assert finding.problem == problem
    assert len(finding.fixes) == 3


@pytest.mark.parametrize("cells", [["12:30", "08:15"], ["May", "June"], ["Q1 2026", "Q2 2026"]])
def test_what_is_no_date_stays_text(column: ReadColumn, cells: Sequence[str]) -> None:
    assert list(column(cells).frame["size"]) == cells
