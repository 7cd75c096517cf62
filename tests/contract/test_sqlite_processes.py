"""Writers in real processes: eight at once, and some that are killed."""

from pathlib import Path

import pytest
from support.promotion.crashes import kill_after_lines, kill_at_every_point
from support.promotion.races import run_race
from support.registry.ledgers import outcome, promotion

from registry.sqlite import SqliteLedger

RACERS = 8
ROUNDS = 12


def states(ledger: SqliteLedger) -> list[str]:
    return [entry.state for entry in ledger.history("houses")]


def test_of_eight_processes_one_writes_the_first_record_of_a_new_file(tmp_path: Path) -> None:
    for results in run_race("first", tmp_path, processes=RACERS, rounds=ROUNDS):
        assert results == ["Conflict: promotion 1 of houses exists already"] * (RACERS - 1) + [
            "created"
        ]


def test_of_eight_processes_one_creates_and_one_closes_each_number(tmp_path: Path) -> None:
    steps = run_race("next", tmp_path, processes=RACERS, rounds=ROUNDS)
    for number, (creations, closings) in enumerate(
        zip(steps[::2], steps[1::2], strict=True), start=1
    ):
        conflicts = [f"Conflict: promotion {number} of houses exists already"] * (RACERS - 1)
        assert creations == [*conflicts, "created"]
        assert closings == [f"Conflict: promotion {number} of houses is live already"] * (
            RACERS - 1
        ) + ["closed"]
    assert states(SqliteLedger(tmp_path / "ledger.db")) == ["live"] * ROUNDS


def test_a_creation_killed_anywhere_happened_or_did_not(tmp_path: Path) -> None:
    *killed, finished = [
        SqliteLedger(place / "ledger.db") for place in kill_at_every_point("create", tmp_path)
    ]
    assert len(killed) > 5
    for ledger in killed:
        assert states(ledger) in ([], ["in flight"])
        if not states(ledger):
            ledger.create(promotion())
        ledger.close("houses", 1, outcome())
        assert states(ledger) == ["live"]
    assert states(finished) == ["in flight"]


def test_a_closing_killed_anywhere_happened_or_did_not(tmp_path: Path) -> None:
    *killed, finished = [
        SqliteLedger(place / "ledger.db") for place in kill_at_every_point("close", tmp_path)
    ]
    assert len(killed) > 3
    for ledger in killed:
        assert states(ledger) == ["in flight"]
        ledger.close("houses", 1, outcome("reverted"))
        assert states(ledger) == ["reverted"]
    assert states(finished) == ["live"]


@pytest.mark.parametrize("lines", [1, 5, 20])
def test_what_a_writer_reported_survives_its_being_killed(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "ledger.db"
    reported = [
        int(line) for line in kill_after_lines(lines, "support.registry.endless_writer", str(path))
    ]
    assert len(reported) >= lines
    found = SqliteLedger(path).history("houses")
    assert [entry.promotion.number for entry in found if entry.state == "live"][
        : len(reported)
    ] == reported
    assert len(found) <= len(reported) + 1
