"""Files other than CSV, and what is written for them to be read again."""

import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer import DataError, load_spec
from trainer.spec import DataSetSpec
from trainer.tables import ReadTable, frame_to_arrow, read_table
from trainer.tables.reading import read_rows

Read = Callable[..., ReadTable]
Refusal = Callable[..., DataError]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [1.5, None, 3.5],
            "rooms": pd.array([1, None, 3], dtype="Int64"),
            "colour": pd.Categorical(["red", "blue", "red"]),
            "sold": pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"]),
            "new": [True, False, True],
            "note": ["a", "NA", " b "],
            "price": [1, 2, 3],
        }
    )


def excel(*sheets: tuple[str, list[list[object]]]) -> bytes:
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        for name, rows in sheets:
            pd.DataFrame(rows).to_excel(writer, sheet_name=name, header=False, index=False)
    return buffer.getvalue()


def check_frame(table: ReadTable) -> None:
    assert not table.findings
    assert list(table.frame["size"].isna()) == [False, True, False]
    assert list(table.frame["rooms"].isna()) == [False, True, False]
    assert list(table.frame["colour"]) == ["red", "blue", "red"]
    assert str(table.frame["sold"].dtype).startswith("datetime64")
    assert list(table.frame["new"]) == [True, False, True]
    assert list(table.frame["note"].fillna("-")) == ["a", "-", "b"]
    assert table.place_of(1) == "row 2"


@pytest.mark.parametrize("name", ["table.parquet", "table.feather", "table.csv"])
def test_files_with_types_keep_them(
    read: Read, tmp_path: Path, frame: pd.DataFrame, name: str
) -> None:
    if name == "table.feather":
        frame.to_feather(tmp_path / name)
    else:
        frame.to_parquet(tmp_path / name)
    table = read(None, name=name)
    check_frame(table)
    other = name == "table.csv"
    assert any("is read as parquet" in note for note in table.notes) == other


@pytest.mark.parametrize("convert", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_a_frame_is_written_and_read_back(
    read: Read, tmp_path: Path, frame: pd.DataFrame, convert: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    pq.write_table(frame_to_arrow(convert(frame)), tmp_path / "table.parquet")
    check_frame(read(None, name="table.parquet"))


def test_a_frame_of_odd_columns_is_written(read: Read, tmp_path: Path) -> None:
    odd = pd.DataFrame(
        {1: [1, "two", None], "price": [1, 2, 3]}, index=pd.Index([7, 8, 9], name="id")
    )
    pq.write_table(frame_to_arrow(odd), tmp_path / "table.parquet")
    table = read(None, name="table.parquet")
    assert list(table.frame.columns) == ["id", "1", "price"]
    assert table.findings[0].problem == "1 of 2 cells are numbers; row 2 says 'two'"
    for other in ({"a": [1]}, odd["price"], pl.Series([1])):
        with pytest.raises(DataError, match=r"a (dict|Series) is no table"):
            frame_to_arrow(other)


def test_a_frame_with_a_name_twice_and_with_intervals_is_written(
    read: Read, tmp_path: Path
) -> None:
    frame = pd.DataFrame([[1.5, 2.5, 1], [3.5, 4.5, 2]], columns=["size", "size", "price"])
    frame["band"] = pd.cut(frame["price"], [0, 1, 2])
    pq.write_table(frame_to_arrow(frame), tmp_path / "table.parquet")
    table = read(None, name="table.parquet")
    assert list(table.frame.columns) == ["size", "size.1", "price", "band"]
    assert list(table.frame["band"]) == ["(0, 1]", "(1, 2]"]


def test_a_workbook_is_read_below_its_title(read: Read) -> None:
    rows: list[list[object]] = [
        ["Report", None, None],
        [None, None, None],
        ["size", "sold ", "price"],
        [1.5, dt.date(2026, 1, 1), 2],
        ["?", dt.date(2026, 2, 1), 4],
        [2.5, dt.date(2026, 3, 1), 5],
    ]
    table = read(excel(("Data", rows), ("Other", [[1]])), name="table.xlsx")
    assert list(table.frame.columns) == ["size", "sold", "price"]
    assert str(table.frame["sold"].dtype).startswith("datetime64")
    assert table.findings[0].problem == "2 of 3 cells are numbers; row 5 says '?'"
    assert "sheet 'Data' is read; others: Other" in table.notes
    assert any("2 rows above the table are not read: 'Report'" in note for note in table.notes)


def test_a_sheet_is_found_or_named_or_refused_with_those_there_are(
    read: Read, refusal: Refusal, tmp_path: Path
) -> None:
    content = excel(("One", [["a"]]), ("Two", [["size", "price"], [1, 2]]))
    assert list(read(content, 'read.sheet = "Two"', name="t.xlsx").frame["price"]) == [2]
    error = refusal(content, 'read.sheet = "Three"', name="t.xlsx")
    assert error.hint == "sheets: One, Two"
    found = read(content, name="t.xlsx")
    assert list(found.frame["price"]) == [2]
    assert "sheet 'Two' is read; others: One" in found.notes
    rows = excel(("About", [["a"]]), ("Rows", [["size"], [1]]))
    (tmp_path / "rows.xlsx").write_bytes(rows)
    spec = DataSetSpec(
        name="t",
        source="rows.xlsx",
        folder=tmp_path,
        target="price",
        task="regression",
        features=("size",),
    )
    assert list(read_rows(spec).frame["size"]) == [1]


@pytest.mark.parametrize("as_list", [False, True])
def test_json_is_read_by_lines_or_as_a_list(read: Read, as_list: bool) -> None:  # noqa: FBT001 - pytest gives it
    rows = [{"size": 1.5, "new": True, "price": 1}, {"size": None, "new": None, "price": 2}]
    rows.append({"size": "x", "price": 3, "new": False})
    lines = json.dumps(rows) if as_list else "\n".join(map(json.dumps, rows))
    table = read(lines, name="table.json")
    assert list(table.frame["price"]) == [1, 2, 3]
    assert table.findings[0].problem == "1 of 2 cells are numbers; row 3 says 'x'"


def test_json_of_another_shape_is_refused(read: Read, refusal: Refusal) -> None:
    assert "line 2: not JSON" in str(refusal('{"price": 1}\n{"price"\n', name="t.jsonl"))
    assert "not a table" in str(refusal("[1, 2]", name="t.json"))
    nested = read('{"a": [1], "price": 1}\n{"a": [2], "price": 2}', name="t.jsonl")
    assert nested.findings[0].fixes == ('drop = ["a"]',)


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.parquet", b"PAR1nonsense"), ("t.feather", b"ARROW1nonsense"), ("t.xlsx", b"PK\x03\x04no")],
)
def test_a_damaged_file_is_named(refusal: Refusal, name: str, content: bytes) -> None:
    assert name in str(refusal(content, name=name))


def test_several_files_are_one_table(read: Read, refusal: Refusal, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 2):
        (tmp_path / "parts" / f"p{number}.csv").write_text("size;price\n1,5;2\nx;3\n2,5;4\n")
    for source in ("parts/*.csv", "parts"):
        table = read(None, source=source, name="x")
        assert len(table.frame) == 6
        assert table.place_of(4) == "p2.csv line 3"
        assert table.line_of(4) == 3
        assert "2 files are read as one table" in table.notes
        assert table.findings[0].problem.endswith("p1.csv line 3 says 'x' (and 1 more)")
    (tmp_path / "parts" / "p3.csv").write_text("length,price\n1,2\n")
    assert "its columns differ from those of" in str(refusal(None, source="parts/*.csv", name="x"))
    assert "no file matches" in str(refusal(None, source="parts/*.txt", name="x"))


def test_a_folder_of_several_kinds_is_no_table(refusal: Refusal) -> None:
    assert "not of one kind: .csv, .toml" in str(refusal("size,price\n1,2\n", source="."))


def test_specs_and_frames_meet(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(tmp_path / "f.parquet")
    spec = 'name = "f"\nsource = "f.parquet"\ntarget = "price"\ntask = "regression"\n'
    (tmp_path / "f.toml").write_text(spec)
    assert read_table(load_spec(str(tmp_path / "f.toml"))).frame.shape == (3, 7)
