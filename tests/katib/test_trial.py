import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from katib.errors import EngineError
from katib.trial import FINISHED, Journal, Trial, best, reset

NUMBER = ({"name": "mse", "min": "1.5", "max": "1.5", "latest": "1.5"},)
FULL = Trial(
    index=0,
    name="tiny-a",
    assignments={"x": "0.5", "ü": '"\\\n'},
    state="Succeeded",
    created="2026-01-01T00:00:00Z",
    started="2026-01-01T00:00:01Z",
    finished="2026-01-01T00:00:02Z",
    reason="TrialSucceeded",
    message="ok",
    observation=NUMBER,
    series=(1.5, 2.5),
    tail=("mse=1.5", "\ufffd\x00"),
    cpu=0.25,
)


def valued(index: int, value: str, state: str = "Succeeded") -> Trial:
    return Trial(
        index, f"t{index}", {}, state, observation=({"name": "mse", "latest": value, "min": value},)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trials.jsonl"


def test_a_trial_comes_back_as_it_was_written(path: Path) -> None:
    Journal(path).write(FULL)
    assert asdict(Journal(path).trials[0]) == asdict(FULL)


def test_the_last_line_about_a_trial_counts_and_order_is_that_of_asking(path: Path) -> None:
    journal = Journal(path)
    for trial in (
        replace(FULL, index=1),
        replace(FULL, state="Running"),
        replace(FULL, index=1, state="Failed"),
        FULL,
    ):
        journal.write(trial)
    for known in (journal, Journal(path)):
        assert [(trial.index, trial.state) for trial in known.ordered()] == [
            (0, "Succeeded"),
            (1, "Failed"),
        ]


def test_a_written_trial_is_on_the_disk_in_one_line_of_ascii(path: Path) -> None:
    journal = Journal(path)
    journal.write(FULL)
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert content.count(b"\n") == 1
    assert content.isascii()


def test_a_trial_is_synced_to_the_disk_before_writing_it_returns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(
        "katib.trial.os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size)
    )
    Journal(path).write(FULL)
    assert synced == [path.stat().st_size]


def test_a_journal_that_is_not_there_is_empty_and_not_made(path: Path) -> None:
    assert Journal(path).ordered() == []
    assert not path.exists()


def test_a_line_cut_off_anywhere_never_happened(path: Path) -> None:
    journal = Journal(path)
    journal.write(FULL)
    whole = path.stat().st_size
    journal.write(replace(FULL, index=1))
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        assert [trial.index for trial in Journal(path).ordered()] == [0]
        assert path.read_bytes() == content[:whole]
    path.write_bytes(content[: whole - 1])
    assert Journal(path).ordered() == []
    assert path.read_bytes() == b""


def test_after_a_cut_line_writing_goes_on(path: Path) -> None:
    Journal(path).write(FULL)
    with path.open("ab") as file:
        file.write(b'{"index": 1, "na')
    Journal(path).write(replace(FULL, index=2))
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
    Journal(path).write(FULL)
    path.write_bytes(path.read_bytes() + line + b"\n" + path.read_bytes())
    with pytest.raises(EngineError, match=r"trials\.jsonl:2: not a trial record") as error:
        Journal(path)
    assert error.value.hint


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - no path of ours
def test_a_full_disk_is_an_error_that_says_so_and_changes_nothing(
    path: Path, tmp_path: Path
) -> None:
    journal = Journal(path)
    journal.write(FULL)
    journal.path = tmp_path / "full"
    journal.path.symlink_to("/dev/full")
    with pytest.raises(EngineError, match="No space left on device") as error:
        journal.write(replace(FULL, state="Failed"))
    assert "--resume" in error.value.hint
    assert journal.trials[0].state == Journal(path).trials[0].state == "Succeeded"


def test_a_journal_that_cannot_be_read_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(EngineError, match="Is a directory"):
        Journal(path)


def test_a_trial_is_done_in_every_state_from_which_none_follows() -> None:
    assert {
        state for state in (*FINISHED, "Created", "Running") if replace(FULL, state=state).done
    } == FINISHED


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ("Succeeded", 1.5),
        ("EarlyStopped", 1.5),
        ("Failed", None),
        ("MetricsUnavailable", None),
        ("Running", None),
    ],
)
def test_only_a_trial_with_a_model_or_a_start_of_one_has_a_value(
    state: str, value: float | None
) -> None:
    assert replace(FULL, state=state).value("mse", "min") == value


def test_the_best_is_the_least_or_the_greatest_finite_one() -> None:
    trials = [
        valued(0, "3"),
        valued(1, "nan"),
        valued(2, "1"),
        valued(3, "-inf"),
        valued(4, "9"),
        valued(5, ""),
    ]
    least = best(trials, metric="mse", strategy="min", minimize=True)
    greatest = best(trials, metric="mse", strategy="min", minimize=False)
    assert least
    assert greatest
    assert (least.index, greatest.index) == (2, 4)


@pytest.mark.parametrize("minimize", [True, False])
def test_of_equals_the_earliest_is_the_best(*, minimize: bool) -> None:
    trials = [valued(3, "1.0"), valued(1, "1"), valued(2, "1e0")]
    top = best(trials, metric="mse", strategy="min", minimize=minimize)
    assert top
    assert top.index == 1


def test_without_a_finite_value_there_is_no_best() -> None:
    assert (
        best(
            [valued(0, "nan"), valued(1, "1", "Failed")],
            metric="mse",
            strategy="min",
            minimize=True,
        )
        is None
    )
    assert best([], metric="mse", strategy="min", minimize=True) is None


def test_a_reset_trial_keeps_its_name_place_and_point_and_nothing_else() -> None:
    fresh = Trial(0, FULL.name, FULL.assignments, created=FULL.created)
    assert reset(FULL) == fresh
    assert json.loads(json.dumps(asdict(reset(FULL))))["finished"] == ""
