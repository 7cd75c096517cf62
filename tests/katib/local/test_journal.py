"""The journal of a run: what was written comes back, whatever was cut off or damaged."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from support.katib.trial_objects import FULL_TRIAL

from katib.errors import EngineError
from katib.local.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


def test_a_trial_comes_back_as_it_was_written(path: Path) -> None:
    Journal(path).write(FULL_TRIAL)
    assert asdict(Journal(path).trials[0]) == asdict(FULL_TRIAL)


def test_the_last_line_about_a_trial_counts_and_order_is_that_of_asking(path: Path) -> None:
    journal = Journal(path)
    for trial in (
        replace(FULL_TRIAL, index=1),
        replace(FULL_TRIAL, state="Running"),
        replace(FULL_TRIAL, index=1, state="Failed"),
        FULL_TRIAL,
    ):
        journal.write(trial)
    for known in (journal, Journal(path)):
        assert [(trial.index, trial.state) for trial in known.ordered()] == [
            (0, "Succeeded"),
            (1, "Failed"),
        ]


def test_a_written_trial_is_on_the_disk_in_one_line_of_ascii(path: Path) -> None:
    journal = Journal(path)
    journal.write(FULL_TRIAL)
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert content.count(b"\n") == 1
    assert content.isascii()


def test_a_trial_is_synced_to_the_disk_before_writing_it_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(
        "katib.local.journal.os.fsync",
        lambda descriptor: synced.append(os.fstat(descriptor).st_size),
    )
    Journal(path).write(FULL_TRIAL)
    assert synced == [path.stat().st_size]


def test_a_journal_that_is_not_there_is_empty_and_not_made(path: Path) -> None:
    assert Journal(path).ordered() == []
    assert not path.exists()


def test_a_line_cut_off_anywhere_never_happened(path: Path) -> None:
    journal = Journal(path)
    journal.write(FULL_TRIAL)
    whole = path.stat().st_size
    journal.write(replace(FULL_TRIAL, index=1))
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        assert [trial.index for trial in Journal(path).ordered()] == [0]
        assert path.read_bytes() == content[:whole]
    path.write_bytes(content[: whole - 1])
    assert Journal(path).ordered() == []
    assert path.read_bytes() == b""


def test_after_a_cut_line_writing_goes_on(path: Path) -> None:
    Journal(path).write(FULL_TRIAL)
    with path.open("ab") as file:
        file.write(b'{"index": 1, "na')
    Journal(path).write(replace(FULL_TRIAL, index=2))
    assert [trial.index for trial in Journal(path).ordered()] == [0, 2]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"1",
        b"",
        b"\xff",
        b'{"index": 0}',
        b'{"index": 0, "name": "a", "assignments": {}, "x": 1}',
    ],
)
def test_damage_before_the_end_is_an_error_with_its_line(path: Path, line: bytes) -> None:
    Journal(path).write(FULL_TRIAL)
    path.write_bytes(path.read_bytes() + line + b"\n" + path.read_bytes())
    with pytest.raises(EngineError, match=r"trials\.jsonl:2: not a trial record") as error:
        Journal(path)
    assert error.value.hint


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - no path of ours
def test_a_full_disk_is_an_error_that_says_so_and_changes_nothing(
    path: Path, tmp_path: Path
) -> None:
    journal = Journal(path)
    journal.write(FULL_TRIAL)
    journal.path = tmp_path / "full"
    journal.path.symlink_to("/dev/full")
    with pytest.raises(EngineError, match="No space left on device") as error:
        journal.write(replace(FULL_TRIAL, state="Failed"))
    assert "--resume" in error.value.hint
    assert journal.trials[0].state == Journal(path).trials[0].state == "Succeeded"


def test_a_journal_that_cannot_be_read_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(EngineError, match="Is a directory"):
        Journal(path)
