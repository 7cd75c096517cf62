from pathlib import Path

import pytest

from katib.errors import EngineError
from katib.local.run_folder import locked, new_run, prune, runs


def test_runs_are_numbered_from_one_in_the_order_of_their_making(tmp_path: Path) -> None:
    made = [new_run(tmp_path, "tiny") for _ in range(3)]
    assert [path.name for path in made] == ["0001", "0002", "0003"]
    assert runs(tmp_path, "tiny") == made
    assert runs(tmp_path, "other") == []


def test_what_is_not_a_run_is_passed_over(tmp_path: Path) -> None:
    new_run(tmp_path, "tiny")
    (tmp_path / "tiny" / "notes").mkdir()
    (tmp_path / "tiny" / "latest").write_text("0001")
    assert [path.name for path in runs(tmp_path, "tiny")] == ["0001"]


def test_numbers_go_on_after_pruning_and_beyond_four_digits(tmp_path: Path) -> None:
    for name in ("9998", "9999"):
        (tmp_path / "tiny" / name).mkdir(parents=True)
    assert [new_run(tmp_path, "tiny").name for _ in range(2)] == ["10000", "10001"]
    prune(tmp_path, "tiny", keep=2)
    assert [path.name for path in runs(tmp_path, "tiny")] == ["10000", "10001"]
    assert new_run(tmp_path, "tiny").name == "10002"


def test_pruning_keeps_the_newest_and_other_experiments(tmp_path: Path) -> None:
    for name in ("tiny", "tiny", "tiny", "other"):
        (new_run(tmp_path, name) / "file").write_text("x")
    prune(tmp_path, "tiny", keep=1)
    assert [path.name for path in runs(tmp_path, "tiny")] == ["0003"]
    assert len(runs(tmp_path, "other")) == 1


def test_a_place_where_no_folder_can_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineError, match="Not a directory") as error:
        new_run(tmp_path / "file", "tiny")
    assert "--state" in error.value.hint


def test_a_lock_is_held_once_and_again_after_it_was_left(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(EngineError, match="another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="No such file"), locked(tmp_path / "gone"):
        pass
