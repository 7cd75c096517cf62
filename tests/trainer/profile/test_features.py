"""What a data set learns from: what the spec names, and what the rules leave."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.registry.toy_data import homes
from support.tables import titanic_like

from registry.package import load_package
from trainer import DataError
from trainer.__main__ import main
from trainer.dataset import load_dataset
from trainer.profile import finding_lines, profile_table

Write = Callable[..., str]
SHIPPED = {
    "boston": "3b98d5b46cd8734b",
    "boston_published": "7977ff635f51f42d",
    "breast_cancer": "a1d83372e66d2504",
    "diabetes": "f7597ff1ebff8ebc",
    "iris": "2d7c1a4b8980e588",
    "wine": "d8ab593bdaee242a",
    "examples/flats.toml": "ceef60b96b94e39f",
    "examples/iris.toml": "5aac9f9962142037",
}


def passengers() -> pd.DataFrame:
    return titanic_like(200, np.random.default_rng(0)).frame


@pytest.mark.parametrize("name", SHIPPED)
def test_the_rules_touch_no_shipped_data_set(name: str) -> None:
    data = load_dataset(name)
    assert data.findings == ()
    assert data.fingerprint.startswith(SHIPPED[name])


def test_what_the_rules_drop_is_not_learned_from_but_may_be_sent(write: Write) -> None:
    data = load_dataset(write(passengers(), target="Survived", task="classification"))
    dropped = ("PassengerId", "Name", "Ticket", "Cabin")
    assert data.ignored == dropped
    assert not {column.name for column in data.columns} & set(dropped)
    assert finding_lines(data.findings)[0] == (
        "column PassengerId: counts the rows from 1 to 200; dropped. "
        'To keep it: columns.PassengerId.type = "numeric"'
    )


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ('[columns.note]\ntype = "numeric"', {}),
        ("", {"features": ["size", "note"]}),
        ('columns.note.type = "numeric"', {}),
    ],
)
def test_a_column_that_the_spec_names_is_kept(
    write: Write, more: str, fields: dict[str, list[str]]
) -> None:
    data = load_dataset(write(homes(), more, target="price", **fields))
    assert "note" in {column.name for column in data.columns}
    assert data.findings == ()


def test_a_dropped_column_may_be_included(write: Write) -> None:
    path = write(homes(), target="price")
    assert "note" not in {column.name for column in load_dataset(path).columns}
    data = load_dataset(path, include=("note",))
    assert "note" in {column.name for column in data.columns}
    assert data.ignored == ()


def test_a_name_to_include_that_no_rule_drops_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match="cannot include size: not a dropped column"):
        load_dataset(write(homes(), target="price"), include=("size",))


def test_where_no_column_is_left_the_error_says_why(write: Write) -> None:
    frame = homes()[["note", "price"]].assign(empty=np.nan, same=1)
    with pytest.raises(DataError, match="no feature is left") as caught:
        load_dataset(write(frame, target="price"))
    for line in ("note: counts the rows", "empty: is empty", "same: says '1' in every row"):
        assert line in caught.value.hint


def test_a_trial_says_what_was_dropped_and_the_package_names_it(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(homes(), target="price")
    assert main(["--data", path, "--n-estimators", "5", "--output", f"{tmp_path}/package"]) == 0
    assert "note: column note: counts the rows from 0 to 239; dropped" in capsys.readouterr().err
    assert load_package(tmp_path / "package").manifest.ignored == ("note",)


@pytest.mark.parametrize("form", ["{:,.2f} km", "{:.3f}%", "${:,.2f}", "{:,.2f}"])
def test_texts_that_are_mostly_numbers_are_left_to_the_reader(form: str) -> None:
    frame = homes().assign(size=lambda h: h["size"].map(form.format))
    dropped = {column.name for column in profile_table(frame, target="price").dropped}
    assert dropped == {"note"}
