"""Files are read in parts and written whole: places are the file's, numbers exact, order kept."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from support.registry import toy_data

from registry.errors import StoreError
from registry.package import ModelPackage
from trainer.errors import DataError
from trainer.spec import DataSetSpec, ReadSpec
from tunegate.cli import main
from tunegate.prediction import files
from tunegate.prediction.frames import PredictionColumns, predict_frame
from tunegate.prediction.runs import PredictedFile, predict_file

NONE = PredictionColumns()
WRITERS = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".jsonl": lambda frame, path: frame.to_json(
        path, orient="records", lines=True, double_precision=15
    ),
}
READERS = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".jsonl": lambda path: pd.read_json(path, lines=True, precise_float=True),
}


def write(folder: Path, text: str, name: str = "new.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def predicted(package: ModelPackage, source: Path, target: Path, *keep: str) -> PredictedFile:
    return predict_file(package, source, target, PredictionColumns(keep=keep))


def test_the_rows_of_a_query_are_predicted_and_scored(
    homes: ModelPackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = toy_data.homes(20, seed=5)
    table.to_sql("homes", sqlite3.connect(tmp_path / "homes.db"), index=False)
    address = f"sqlite:///{tmp_path}/homes.db"
    words = ["--query", "select * from homes where size > 60", "--package", str(homes.path)]
    for command in ("predict", "evaluate"):
        with pytest.raises(SystemExit) as ended:
            main([command, address, *words])
        assert ended.value.code == 0
    said = capsys.readouterr()
    expected = predict_frame(homes, table[table["size"] > 60])["predicted_price"]
    assert [float(line) for line in said.out.splitlines()[1:]] == expected.tolist()
    assert f"all {len(expected)} rows" in said.err


@pytest.mark.parametrize("target", READERS)
@pytest.mark.parametrize("source", WRITERS)
def test_every_format_gives_the_same_predictions_part_by_part(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 7)
    table = toy_data.homes(50, seed=5)
    read = tmp_path / f"new{source}"
    write_to = tmp_path / f"out{target}"
    WRITERS[source](table, read)
    done = predict_file(homes, read, write_to, PredictionColumns(keep=("note",), interval=True))
    result = READERS[target](write_to)
    expected = predict_frame(homes, table, PredictionColumns(interval=True))
    assert done.rows == 50
    assert result["note"].astype(int).tolist() == table["note"].tolist()
    for name in expected:
        assert result[name].tolist() == expected[name].tolist()


def test_columns_that_the_model_does_not_know_are_named(
    homes: ModelPackage, tmp_path: Path
) -> None:
    source = write(tmp_path, "id,extra,note,price,size,age,region,garden\n1,2,3,4,5,6,east,true\n")
    done = predicted(homes, source, tmp_path / "out.csv", "id")
    assert done.unread == ("extra",)  # dropped in training, the target, and kept: known
    assert any("extra" in sentence for sentence in done.sentences())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wrong_cell_is_named_with_the_files_own_line(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    lines = ["note,size,age,region,garden", *['"a', 'b",50,1,east,true'] * 3, ""]
    lines.append("x,big,1,east,true")
    source = write(tmp_path, end.join(lines) + end)
    with pytest.raises(DataError, match="column size, line 9: 'big' is not a number"):
        predicted(homes, source, tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["new.jsonl", "new.parquet"])
def test_other_files_name_a_place_too(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    table = toy_data.homes(5)
    table.loc[3, "region"] = "west"
    path = tmp_path / name
    WRITERS[path.suffix](table, path)
    with pytest.raises(DataError, match=r"column region, (line|row) 4: 'west'"):
        predicted(homes, path, tmp_path / "out.csv")


def test_after_a_wrong_cell_the_old_file_is_as_it_was(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 1)
    source = write(tmp_path, "size,age,region,garden\n1,2,east,true\n1,2,west,true\n")
    target = write(tmp_path, "old", "out.csv")
    with pytest.raises(DataError, match="line 3"):
        predicted(homes, source, target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "out.csv"]


def test_a_table_without_rows_gives_a_header(homes: ModelPackage, tmp_path: Path) -> None:
    source = write(tmp_path, "size,age,region,garden\n")
    assert predicted(homes, source, tmp_path / "out.csv").rows == 0
    assert (tmp_path / "out.csv").read_text() == "predicted_price\n"


def test_texts_stay_texts_where_they_are_kept(homes: ModelPackage, tmp_path: Path) -> None:
    source = write(tmp_path, "id,size,age,region,garden\n007,1,,east,true\nNA,2,3,east,no\n")
    predicted(homes, source, tmp_path / "out.csv", "id")
    written = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in written] == ["id", "007", "NA"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("new.csv", ""), ("new.parquet", "PAR1"), ("new.jsonl", "[1]\n"), ("absent.csv", None)],
)
def test_a_file_that_cannot_be_read_is_named(
    homes: ModelPackage, tmp_path: Path, name: str, content: str | None
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=name) as caught:
        predicted(homes, path, tmp_path / "out.csv")
    assert caught.value.hint


def test_a_folder_that_does_not_exist_is_named(homes: ModelPackage, tmp_path: Path) -> None:
    source = write(tmp_path, "size,age,region,garden\n1,2,east,true\n")
    with pytest.raises(StoreError, match=r"nowhere/out\.csv"):
        predicted(homes, source, tmp_path / "nowhere" / "out.csv")


def as_excel_writes(frame: pd.DataFrame) -> str:
    """Return a table as a spreadsheet saves it where numbers have a decimal comma."""
    return frame.to_csv(index=False, sep=";", decimal=",")


DIALECTS = {
    "semicolons and decimal commas": lambda frame, path: path.write_text(as_excel_writes(frame)),
    "another encoding": lambda frame, path: path.write_bytes(
        as_excel_writes(frame).encode("utf-16")
    ),
    "tabs": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "a title above": lambda frame, path: path.write_text("Homes\n\n" + frame.to_csv(index=False)),
    "spaces around names": lambda frame, path: path.write_text(
        frame.rename(columns=lambda name: f" {name} ").to_csv(index=False)
    ),
    "gzip": lambda frame, path: frame.to_csv(path, index=False, compression="gzip"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_csv_file_of_any_dialect_is_predicted_as_it_would_be_learned_from(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 7)
    table = toy_data.homes(50, seed=5)
    DIALECTS[dialect](table, tmp_path / "new.csv")
    predicted(homes, tmp_path / "new.csv", tmp_path / "out.csv")
    expected = predict_frame(homes, table, NONE)["predicted_price"]
    assert pd.read_csv(tmp_path / "out.csv")["predicted_price"].tolist() == expected.tolist()


@pytest.mark.parametrize("name", ["new.xlsx", "new.feather", "new.json"])
def test_other_files_that_can_be_learned_from_are_predicted(
    homes: ModelPackage, tmp_path: Path, name: str
) -> None:
    table = toy_data.homes(50, seed=5)
    path = tmp_path / name
    if name.endswith("xlsx"):
        table.to_excel(path, index=False)
    elif name.endswith("feather"):
        table.to_feather(path)
    else:
        table.to_json(path, orient="records", double_precision=15)
    predicted(homes, path, tmp_path / "out.csv")
    expected = predict_frame(homes, table, NONE)["predicted_price"]
    assert pd.read_csv(tmp_path / "out.csv")["predicted_price"].tolist() == expected.tolist()


def test_json_lines_have_the_columns_that_any_line_has(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    rows = '{"size": 1, "region": "east", "garden": true}\n\n' * 3
    path = write(tmp_path, rows + '{"size": 1, "age": "x", "region": "east"}\n', "new.jsonl")
    with pytest.raises(DataError, match="column age, line 7: 'x' is not a number"):
        predicted(homes, path, tmp_path / "out.csv")
    broken = write(tmp_path, rows + "{\n", "broken.jsonl")
    with pytest.raises(DataError, match=r"broken\.jsonl, line 7: not a JSON object"):
        predicted(homes, broken, tmp_path / "out.csv")


LATE = '{"id": null, "size": 1, "age": 2, "region": "east", "garden": true}\n' * 3


def test_a_kept_column_may_have_its_first_value_late(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    path = write(tmp_path, LATE + LATE.replace("null", '"a"'), "new.jsonl")
    predicted(homes, path, tmp_path / "out.parquet", "id")
    kept = pd.read_parquet(tmp_path / "out.parquet")["id"]
    assert kept.fillna("none").tolist() == ["none"] * 3 + ["a"] * 3
    never = write(tmp_path, LATE, "never.jsonl")
    predicted(homes, never, tmp_path / "out.parquet", "id")
    assert pd.read_parquet(tmp_path / "out.parquet")["id"].isna().all()


@pytest.mark.parametrize("first", ["7", "null"])
def test_a_kept_column_of_several_types_is_refused_for_parquet(
    homes: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 2)
    path = write(
        tmp_path,
        LATE.replace("null", first) + LATE.replace("null", "8") + LATE.replace("null", '"a"'),
        "new.jsonl",
    )
    with pytest.raises(DataError, match="a kept column has cells of several types") as caught:
        predicted(homes, path, tmp_path / "out.parquet", "id")
    assert "CSV" in caught.value.hint


def test_what_the_spec_states_of_its_table_holds_for_another_one(
    homes: ModelPackage, tmp_path: Path
) -> None:
    read = ReadSpec(comment="#", separator="|", decimal=",")
    known = DataSetSpec(name="x", source="x", target="y", task="regression", read=read)
    source = write(tmp_path, "# made today\nsize|age|region|garden\n# a pair\n1,500|2|east|true\n")
    predict_file(homes, source, tmp_path / "out.csv", NONE, known=known)
    row = {"size": [1.5], "age": [2], "region": ["east"], "garden": [True]}
    expected = predict_frame(homes, pd.DataFrame(row), NONE)["predicted_price"]
    assert pd.read_csv(tmp_path / "out.csv")["predicted_price"].tolist() == expected.tolist()


def test_files_of_one_table_are_predicted_together(homes: ModelPackage, tmp_path: Path) -> None:
    text = "size,age,region,garden\n1,2,east,true\n"
    for name in ("a.csv", "b.csv"):
        write(tmp_path, text, name)
    done = predict_file(homes, str(tmp_path / "*.csv"), tmp_path / "out.parquet", NONE)
    assert done.rows == 2
    url = (tmp_path / "a.csv").as_uri()
    assert predict_file(homes, url, tmp_path / "out.parquet", NONE).rows == 1


def test_a_row_of_totals_is_no_row_to_predict(homes: ModelPackage, tmp_path: Path) -> None:
    rows = "1,2,east,true\n3,4,east,true\nTotal,6,,\n"
    source = write(tmp_path, f"size,age,region,garden\n{rows}")
    with pytest.raises(DataError, match="line 4, the last one, says 'Total'"):
        predicted(homes, source, tmp_path / "out.csv")
