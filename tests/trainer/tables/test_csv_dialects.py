"""CSV files as programs and people write them."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable

import pandas as pd
import pyarrow as pa
import pytest

from trainer import DataError
from trainer.tables import ReadTable

Read = Callable[..., ReadTable]
Refusal = Callable[..., DataError]
PLAIN = "size,colour,price\n" + "".join(
    f"{row}.5,{'red' if row % 2 else 'blue'},{row * 3}.25\n" for row in range(1, 31)
)


def in_dialect(separator: str = ",", decimal: str = ".") -> str:
    return PLAIN.replace(",", separator).replace(".", decimal)


@pytest.fixture
def expected(read: Read) -> pd.DataFrame:
    return read(PLAIN).frame


def test_a_plain_file_needs_no_note(read: Read) -> None:
    table = read(PLAIN)
    assert (table.notes, table.findings) == ((), ())
    assert [str(dtype) for dtype in table.frame.dtypes] == ["float64", "str", "float64"]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (in_dialect(";"), "separator ';'"),
        (in_dialect("\t"), "separator tab"),
        (in_dialect("|"), "separator '|'"),
        (in_dialect("  "), "separator spaces"),
        (in_dialect(";", ","), "separator ';', decimal comma"),
        (in_dialect("\t", ","), "separator tab, decimal comma"),
        ("sep=;\n" + in_dialect(";"), "separator ';'"),
        (PLAIN.replace("red", "'red'").replace("blue", "'blue'"), "quote '"),
        (PLAIN.replace(",", ", "), "spaces after separators are taken off"),
        ("# made by a tool\n#\n" + PLAIN, "2 lines above the table are not read: '# made by a"),
        ("Sales report 2026\n\n" + PLAIN, "1 line above the table is not read: 'Sales report"),
        ("Report;;\nof;today;\n" + in_dialect(";"), "2 lines above the table are not read"),
    ],
)
def test_a_dialect_is_found_and_said(
    read: Read, expected: pd.DataFrame, content: str, note: str
) -> None:
    table = read(content)
    pd.testing.assert_frame_equal(table.frame, expected)
    assert any(note in said for said in table.notes)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n", ",\n").replace("price,", "price"),
        PLAIN.rstrip("\n"),
        "\ufeff" + PLAIN,
        "\n\n" + PLAIN,
        PLAIN + ",,\n,,\n",
        '"' + PLAIN.strip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    ],
    ids=[
        "crlf",
        "cr",
        "blank",
        "commas",
        "commas-below",
        "no-end",
        "bom",
        "above",
        "empty",
        "quoted",
    ],
)
def test_habits_of_programs_change_nothing(
    read: Read, expected: pd.DataFrame, content: str
) -> None:
    pd.testing.assert_frame_equal(read(content).frame, expected)


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("latin-1", "cp1252"),
        ("cp1252", "cp1252"),
    ],
)
def test_an_encoding_is_found_and_said(read: Read, encoding: str, named: str) -> None:
    table = read(PLAIN.replace("red", "grün"), encoding=encoding)
    assert table.frame["colour"][0] == "grün"
    assert any(f"encoding {named}" in note for note in table.notes) == bool(named)


def test_letters_far_down_decide_the_encoding_too(read: Read) -> None:
    text = PLAIN + "1.5,red,3.25\n" * 30_000 + "1.5,grün,3.25\n"
    assert read(text, encoding="latin-1").frame["colour"].iloc[-1] == "grün"


def test_a_stated_encoding_is_used(read: Read) -> None:
    table = read(PLAIN.replace("red", "красный"), 'read.encoding = "cp1251"', encoding="cp1251")
    assert table.frame["colour"][0] == "красный"


@pytest.mark.parametrize("field", ["encoding", "compression"])
def test_an_unknown_word_is_refused_with_those_there_are(refusal: Refusal, field: str) -> None:
    error = refusal(PLAIN, f'read.{field} = "nonsense"')
    assert f"read.{field} = 'nonsense' is unknown" in str(error)
    assert error.hint.startswith("choose from: ")


def zipped(text: str, *names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("table.csv.gz", gzip.compress(PLAIN.encode(), mtime=0), "gzip"),
        ("table.csv.bz2", bz2.compress(PLAIN.encode()), "bz2"),
        ("table.csv.xz", lzma.compress(PLAIN.encode()), "xz"),
        ("table.csv.zst", pa.compress(PLAIN.encode(), "zstd", asbytes=True), "zstd"),
        ("table.zip", zipped(PLAIN, "table.csv", "__MACOSX/._table.csv"), "zip"),
        ("table.csv", gzip.compress(PLAIN.encode(), mtime=0), "gzip"),
    ],
)
def test_compression_is_taken_off(
    read: Read, expected: pd.DataFrame, name: str, content: bytes, note: str
) -> None:
    table = read(content, name=name)
    pd.testing.assert_frame_equal(table.frame, expected)
    assert any(note in said for said in table.notes)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("table.zip", zipped(PLAIN, "a.csv", "b.csv"), "an archive of 2 files: a.csv, b.csv"),
        ("table.zip", b"PK\x03\x04\xff\xfe", "damaged, or not what its name says"),
        (
            "table.csv.gz",
            gzip.compress(PLAIN.encode(), mtime=0)[:60],
            "damaged, or not what its name says",
        ),
        ("table.csv", b"<!DOCTYPE html><html>log in</html>", "a page (HTML or XML)"),
        ("table.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file of the old kind"),
        ("table.csv", b"SQLite format 3\x00", "an SQLite database"),
        ("table.csv", b"%PDF-1.7", "a PDF document"),
        ("table.csv", b"\x89PNG\r\n\x1a\n", "a PNG image"),
        ("table.csv", b"\x80\x04\x95", "a Python pickle, which is not safe to read"),
        ("table.csv", b"size,price\n1,\x002\n", "not a text: line 2 holds a zero byte"),
        ("table.csv", b"", "no rows"),
        ("table.csv", b"\n\n", "no rows"),
        ("table.csv", b"size,price\n", "no rows"),
        ("table.csv", b'size,price\n1,"2\n', "not a readable CSV file"),
    ],
)
def test_what_is_no_table_is_named(refusal: Refusal, name: str, content: bytes, what: str) -> None:
    error = refusal(content, name=name)
    assert name in str(error)
    assert what in str(error)
    assert error.hint


def test_a_file_without_a_header_is_named_and_usable(read: Read, refusal: Refusal) -> None:
    rows = PLAIN.partition("\n")[2]
    error = refusal(rows)
    assert str(error) == "table.csv: no column price"
    assert error.hint.startswith("columns: column_1, column_2, column_3; there is no header")
    table = read(rows, target="column_3")
    assert len(table.frame) == 30
    assert "there is no header: the columns are called column_1 to column_3" in table.notes


def test_a_header_can_be_stated(read: Read) -> None:
    years = "2010,2011,price\n1,2,3\n4,5,6\n"
    assert list(read(years).frame.columns) == ["2010", "2011", "price"]
    texts = "a,b,c\nd,e,f\n"
    table = read(texts, "read.header = false", target="column_1", task="classification")
    assert len(table.frame) == 2


@pytest.mark.parametrize(
    ("content", "line", "cells"),
    [
        ("size,colour,price\n1,red,2\n1,red,2,extra\n1,red,2\n", 3, 4),
        ("size,colour,price\n1,red,2\n1,2\n1,red,2\n", 3, 2),
        ('size,colour,price\n1,"dark\nred",2\n1,red,2,extra\n', 4, 4),
    ],
)
def test_a_line_of_another_length_is_named_and_can_be_left_out(
    read: Read, refusal: Refusal, content: str, line: int, cells: int
) -> None:
    error = refusal(content)
    assert f"line {line} has {cells} cells, the header has 3 (1 of " in str(error)
    assert 'read.bad_lines = "drop"' in error.hint
    table = read(content, 'read.bad_lines = "drop"')
    assert set(table.frame["price"]) == {2}
    assert f"1 lines have not 3 cells and are left out: {line}" in table.notes


def test_rows_that_are_all_longer_than_the_header_are_refused(refusal: Refusal) -> None:
    error = refusal("size,price\n1,2,3\n4,5,6\n")
    assert "rows have more cells than the header: line 2 has 3 cells" in str(error)


def test_comments_between_rows_are_left_out_where_stated(read: Read, refusal: Refusal) -> None:
    content = "# tool\nsize,price\n1,2\n# pause\n3,4\n"
    assert "line 4 has 1 cells" in str(refusal(content))
    assert list(read(content, 'read.comment = "#"').frame["price"]) == [2, 4]


def test_a_hash_within_a_row_is_no_comment(read: Read) -> None:
    table = read("# tool\ncolour,price\n#ff0000,2\nx #1,4\n")
    assert list(table.frame["colour"]) == ["#ff0000", "x #1"]


def test_quotes_within_texts_stay(read: Read) -> None:
    doubled = 'size,text,price\n1,"a ""b"", c",2\n2,"d;e",3\n'
    assert list(read(doubled).frame["text"]) == ['a "b", c', "d;e"]
    escaped = 'size,text,price\n1,"a \\"b\\", c",2\n2,"d",3\n'
    assert list(read(escaped).frame["text"]) == ['a "b", c', "d"]


def test_one_column_is_a_table(read: Read) -> None:
    assert list(read("price\n1.5\n2.5\n").frame["price"]) == [1.5, 2.5]


def test_a_wide_file_is_read(read: Read) -> None:
    names = [*(f"x{number}" for number in range(1500)), "price"]
    row = ";".join("1,5" for _ in names)
    frame = read("\n".join([";".join(names), row, row])).frame
    assert frame.shape == (2, 1501)
    assert (frame == 1.5).all(axis=None)


@pytest.mark.parametrize(
    ("content", "position", "line"),
    [
        (PLAIN, 0, 2),
        (PLAIN, 29, 31),
        ("# a\n\n" + PLAIN, 1, 5),
        ('a,price\n"x\ny",1\n"z\n\nw",2\nv,3\n', 2, 7),
        ("a,price\n\nx,1\n\n\ny,2\n", 1, 6),
        ('a,price\r\n"x\r\ny",1\r\nz,2\r\n', 1, 4),
    ],
)
def test_lines_are_those_of_the_file(read: Read, content: str, position: int, line: int) -> None:
    table = read(content)
    assert table.line_of(position) == line
    assert table.place_of(position) == f"line {line}"


def test_lines_are_right_after_rows_were_left_out(read: Read) -> None:
    content = "a,price\nx,1\nx\ny,\nz,3\n"
    table = read(content, 'read.bad_lines = "drop"', target_gaps="drop")
    assert [table.line_of(row) for row in range(len(table.frame))] == [2, 5]
    commented = read("# a\na,price\nx,1\n# b\ny,2\n", 'read.comment = "#"')
    assert commented.line_of(1) == 5
