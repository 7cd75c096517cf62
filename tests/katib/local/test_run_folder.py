"""Runs are numbered, locked and pruned, and every command means the same by the newest one."""

import os
from pathlib import Path

import pytest

from katib.errors import EngineError
from katib.local.run_folder import (
    CLUSTER,
    META,
    STATUS,
    TRIALS,
    is_running,
    locked,
    new_run,
    newest_run,
    prune,
    read_run,
    runs,
    write_objects,
)

SECONDS = 1_000_000_000
ENDED = {
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "mse"},
        "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
    },
    "status": {
        "conditions": [{"type": "Succeeded", "status": "True", "reason": "ExperimentGoalReached"}]
    },
}


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


def set_time(path: Path, at: int) -> None:
    """Date a file that a run has written, in seconds."""
    os.utime(path, ns=(at * SECONDS, at * SECONDS))


def local_run(root: Path, name: str, at: int, *, ended_at: int = 0) -> Path:
    """Make a run of this machine that began, and perhaps ended, at these times."""
    folder = new_run(root, name)
    (folder / META).write_text("{}")
    set_time(folder / META, at)
    if ended_at:
        write_objects(folder, ENDED, [])
        set_time(folder / TRIALS, ended_at)
    return folder


def kept_run(root: Path, name: str, at: int) -> Path:
    """Make the folder of a run that was kept from a cluster at this time."""
    folder = new_run(root, name)
    (folder / CLUSTER).write_text("{}")
    write_objects(folder, ENDED, [])
    set_time(folder / TRIALS, at)
    return folder


def test_without_any_run_there_is_no_newest(tmp_path: Path) -> None:
    assert newest_run(tmp_path / "experiments") is None
    assert newest_run(tmp_path / "experiments", "tiny") is None


def test_a_folder_that_has_not_begun_is_no_run_yet(tmp_path: Path) -> None:
    first = local_run(tmp_path, "tiny", 1)
    new_run(tmp_path, "tiny")
    assert newest_run(tmp_path) == newest_run(tmp_path, "tiny") == first


def test_an_unfinished_run_is_the_newest_before_its_first_trial_starts(tmp_path: Path) -> None:
    local_run(tmp_path, "tiny", 1, ended_at=2)
    unfinished = local_run(tmp_path, "tiny", 3)
    assert newest_run(tmp_path, "tiny") == unfinished
    found = read_run(unfinished)
    assert (found.ran_here, found.ended, found.interrupted) == (True, False, True)
    with locked(unfinished):
        assert is_running(unfinished)
        assert not read_run(unfinished).interrupted


def test_a_run_that_was_resumed_is_newer_than_one_that_began_after_it(tmp_path: Path) -> None:
    resumed = local_run(tmp_path, "tiny", 1, ended_at=4)
    local_run(tmp_path, "other", 2, ended_at=3)
    assert newest_run(tmp_path) == resumed


def test_a_run_kept_from_a_cluster_is_one_too_and_was_not_interrupted(tmp_path: Path) -> None:
    local_run(tmp_path, "tiny", 1)
    kept = kept_run(tmp_path, "tiny", 2)
    assert newest_run(tmp_path, "tiny") == kept
    found = read_run(kept)
    assert (found.ran_here, found.ended, found.interrupted) == (False, True, False)
    again = local_run(tmp_path, "tiny", 3)
    assert newest_run(tmp_path, "tiny") == again
    set_time(kept / TRIALS, 4)  # the Experiment on the cluster was followed again
    assert newest_run(tmp_path, "tiny") == kept


def test_of_several_experiments_the_one_whose_run_was_written_last_has_the_newest(
    tmp_path: Path,
) -> None:
    local_run(tmp_path, "b", 1, ended_at=2)
    newest = local_run(tmp_path, "a", 3, ended_at=4)
    of_b = local_run(tmp_path, "b", 3)
    assert newest_run(tmp_path) == newest
    assert newest_run(tmp_path, "b") == of_b
    assert newest_run(tmp_path, "c") is None


def test_of_runs_written_at_the_same_moment_the_higher_number_is_newer(tmp_path: Path) -> None:
    found = [local_run(tmp_path, "tiny", 1) for _ in range(10)]
    assert newest_run(tmp_path) == found[-1]


def test_a_damaged_status_is_named_and_ends_no_run(tmp_path: Path) -> None:
    run = local_run(tmp_path, "tiny", 1, ended_at=2)
    (run / STATUS).write_text('{"metad')
    found = read_run(run)
    assert not found.ended
    assert "not JSON" in found.damaged[0]
