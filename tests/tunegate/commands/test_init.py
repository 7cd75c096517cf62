"""`tunegate init`: what it says, writes and refuses."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.tables import sales_like

from trainer.spec import load_spec
from tunegate.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def sales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sales_like(300, np.random.default_rng(1)).frame.to_csv(tmp_path / "sales.csv", index=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def init(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["init", *words])
    return int(ended.value.code or 0)


def test_it_says_what_it_decided_and_what_to_do_next(sales: Path, capsys: Capture) -> None:
    assert init("sales.csv", "--target", "sales") == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith("predict sales: a regression, ")
    assert "dropped Unnamed: 0: it counts the rows from 0 to 299" in lines
    assert "written: sales.toml and sales-experiment.yaml" in lines
    assert "next: tunegate run sales-experiment.yaml" in printed.err
    assert max(map(len, lines)) <= 80
    assert (sales / "sales.toml").exists()
    assert (sales / "sales-experiment.yaml").exists()


def test_a_dry_run_writes_nothing_and_json_has_the_profile(sales: Path, capsys: Capture) -> None:
    assert init("sales.csv", "--target", "sales", "--dry-run", "--json") == 0
    profile = json.loads(capsys.readouterr().out)
    assert profile["rows"] == 300
    decisions = {column["name"]: column["decision"] for column in profile["columns"]}
    assert decisions["Unnamed: 0"] == "drop"
    assert [path.name for path in sales.iterdir()] == ["sales.csv"]


def test_a_second_time_it_refuses_to_replace(sales: Path, capsys: Capture) -> None:
    assert init("sales.csv", "--target", "sales") == 0
    (sales / "sales.toml").write_text("mine")
    assert init("sales.csv", "--target", "sales") == 2
    assert "exists already" in capsys.readouterr().err
    assert (sales / "sales.toml").read_text() == "mine"
    assert init("sales.csv", "--target", "sales", "--force") == 0
    assert (sales / "sales.toml").read_text() != "mine"


def test_a_missing_table_or_target_is_a_wrong_call(sales: Path, capsys: Capture) -> None:
    assert init("nowhere.csv", "--target", "sales") == 2
    assert init("sales.csv", "--target", "price") == 2
    assert "no column price" in capsys.readouterr().err
    assert init("sales.csv") == 2
    assert [path.name for path in sales.iterdir()] == ["sales.csv"]


def test_how_a_table_was_read_is_said(sales: Path, capsys: Capture) -> None:
    text = (sales / "sales.csv").read_text()
    (sales / "german.csv").write_text(text.replace(",", ";").replace(".", ","))
    assert init("german.csv", "--target", "sales", "--dry-run") == 0
    said = "note: german.csv is read with separator ';', decimal comma"
    assert said in capsys.readouterr().err.splitlines()
    assert init("german.csv", "--target", "sales") == 0
    assert capsys.readouterr().err.count(said) == 1


def test_what_a_search_would_refuse_is_left_to_decide(sales: Path, capsys: Capture) -> None:
    rows = "".join(f"{row},{row % 7}.5\n" for row in range(60))
    (sales / "odd.csv").write_text(f"size,price\ninf,1.5\n{rows}")
    assert init("odd.csv", "--target", "price") == 0
    said = capsys.readouterr().err
    assert "to decide: column size: line 2 says 'inf', which is not finite" in said
    assert 'columns.size.missing = ["inf"]' in said
    assert "then: tunegate run odd-experiment.yaml" in said


def test_a_hint_to_write_into_a_spec_says_how_one_begins(sales: Path, capsys: Capture) -> None:
    (sales / "uneven.csv").write_text("size,price\n" + "1,2\n" * 30 + "1,2,3\n")
    assert init("uneven.csv", "--target", "price") == 2
    hint = " ".join(capsys.readouterr().err.split())
    assert 'read.bad_lines = "drop"' in hint
    assert "the spec is a file uneven.toml that begins with" in hint
    assert 'name = "uneven", source = "uneven.csv", target = "price", task = "regression"' in hint


def test_a_database_without_a_query_is_refused_with_its_tables(
    sales: Path, capsys: Capture
) -> None:
    sqlite3.connect(sales / "sales.db").execute("create table sales (price int)")
    assert init("sqlite:///sales.db", "--target", "price") == 2
    hint = " ".join(capsys.readouterr().err.split())
    assert 'state --query "select ... from ..."' in hint
    assert "tables: sales" in hint


def test_a_query_is_written_into_the_spec(sales: Path, capsys: Capture) -> None:
    frame = pd.read_csv(sales / "sales.csv")
    frame.to_sql("sales", sqlite3.connect(sales / "shop.db"), index=False)
    query = "select * from sales where sales > 0"
    words = ("sqlite:///shop.db", "--query", query, "--target", "sales", "--output", "specs")
    assert init(*words) == 0
    assert "next: tunegate run specs/shop-experiment.yaml" in capsys.readouterr().err
    spec = load_spec("specs/shop.toml")
    assert spec.source == "sqlite:///../shop.db"
    assert spec.read.query == query


def test_columns_with_gaps_are_named(sales: Path, capsys: Capture) -> None:
    rows = "".join(f"{row},{' ' if row % 10 else row},{row % 7}.5\n" for row in range(60))
    (sales / "gaps.csv").write_text(f"size,depth,price\n{rows}")
    assert init("gaps.csv", "--target", "price", "--dry-run") == 0
    assert "no value: depth 90.0%" in capsys.readouterr().err.splitlines()
