"""`tunegate init`: what it says, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.tables import sales_like

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
