"""How far columns have moved since the champion was trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.cli import tunegate
from support.registry import toy_data as toy

from promote.verdict import ColumnDrift
from registry.package import ModelPackage
from trainer.dataset import Dataset
from tunegate.promotion.drift import measure_drift, population_stability

bins = st.lists(st.integers(0, 6), min_size=1, max_size=40).map(
    lambda drawn: np.array(drawn, dtype=np.int64)
)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("champion")
    return toy.package(toy.dataset(folder / "data", toy.homes()), folder / "homes", {})


def with_more(folder: Path, **changed: object) -> Dataset:
    """The champion's homes and 120 more, some columns of which are other ones."""
    more = toy.homes(120, seed=9).assign(note=lambda frame: frame["note"] + 1000)
    return toy.dataset(folder, pd.concat([toy.homes(), more.assign(**changed)]))


def moved(drift: tuple[ColumnDrift, ...]) -> list[str]:
    return [each.column for each in drift if each.has_moved]


def test_more_rows_of_the_same_kind_move_nothing(champion: ModelPackage, tmp_path: Path) -> None:
    drift = measure_drift(with_more(tmp_path), champion)
    assert {each.column for each in drift} == {"size", "age", "region", "garden"}
    assert {each.test for each in drift} == {"ks", "chi2"}
    assert moved(drift) == []


def test_columns_that_moved_are_named_and_come_first(
    champion: ModelPackage, tmp_path: Path
) -> None:
    size = np.linspace(150, 400, 120)
    drift = measure_drift(with_more(tmp_path, size=size, region="south"), champion)
    assert sorted(moved(drift)) == ["region", "size"]
    assert {each.column for each in drift[:2]} == {"region", "size"}


def test_a_column_that_is_missing_in_new_rows_has_moved(
    champion: ModelPackage, tmp_path: Path
) -> None:
    drift = measure_drift(with_more(tmp_path, age=np.nan), champion)
    assert next(each.psi for each in drift if each.column == "age") > 1


def test_the_champions_own_data_have_no_drift(champion: ModelPackage, tmp_path: Path) -> None:
    assert measure_drift(toy.dataset(tmp_path, toy.homes()), champion) == ()


def test_without_known_rows_there_is_nothing_to_compare_with(
    champion: ModelPackage, tmp_path: Path
) -> None:
    assert measure_drift(toy.dataset(tmp_path, toy.homes(240, seed=77)), champion) == ()


@given(bins, bins)
def test_the_index_is_symmetric_and_zero_for_equal_shares(
    one: NDArray[np.int64], other: NDArray[np.int64]
) -> None:
    there = population_stability(one, other)
    assert there >= 0
    assert there == pytest.approx(population_stability(other, one))
    assert population_stability(one, np.tile(one, 3)) == pytest.approx(0)


def test_the_command_shows_what_the_gate_would_see(champion: ModelPackage, tmp_path: Path) -> None:
    state = tmp_path / "state"
    old = toy.dataset(tmp_path / "old", toy.homes())
    spec = Path(old.spec.folder) / "spec.toml"
    promoted = tunegate(
        "promote", "--package", champion.path, "--data", spec, "--state", state, "--cpus", 1
    )
    assert promoted.returncode == 0, promoted.stderr
    now = with_more(tmp_path / "new", size=np.linspace(150, 400, 120))
    words = ("drift", "--data", now.spec.folder / "spec.toml", "--state", state)
    found = json.loads(tunegate(*words, "--json").stdout)
    assert found[0]["column"] == "size"
    shown = tunegate(*words)
    assert shown.returncode == 0
    assert "1 of 4 columns have moved" in shown.stderr
