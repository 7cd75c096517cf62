import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from contract.ledger import Connect, LedgerContract, advance
from support.registry.ledgers import outcome, promotion
from support.registry.volumes import fill, read_only, tiny_volume

from registry import Ledger, LedgerError, Unreachable
from registry.sqlite import SqliteLedger


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def ledger(ledger_path: Path) -> SqliteLedger:
    """A ledger with one live promotion."""
    advance(SqliteLedger(ledger_path), "live")
    return SqliteLedger(ledger_path, timeout=0.05)


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def connect(self, ledger_path: Path) -> Connect:
        return partial(SqliteLedger, ledger_path)

    @pytest.fixture
    def unreachable(self, tmp_path: Path) -> Ledger:
        (tmp_path / "folder.db").mkdir()
        return SqliteLedger(tmp_path / "folder.db")


def ledger_states(ledger: SqliteLedger) -> list[str]:
    return [entry.state for entry in ledger.history("houses")]


def execute(ledger_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(ledger_path, isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.fixture
def lock(ledger_path: Path, ledger: SqliteLedger) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection to the ledger's file."""
    with closing(sqlite3.connect(ledger_path, isolation_level=None)) as connection:
        yield connection


def test_reading_a_ledger_that_was_never_written_makes_no_file(ledger_path: Path) -> None:
    assert list(SqliteLedger(ledger_path).history("houses")) == []
    assert not ledger_path.parent.exists()


def test_an_empty_file_is_an_empty_ledger(ledger_path: Path) -> None:
    ledger_path.parent.mkdir()
    ledger_path.touch()
    assert ledger_states(SqliteLedger(ledger_path)) == []


def test_it_is_one_file(ledger: SqliteLedger) -> None:
    assert list(ledger.path.parent.iterdir()) == [ledger.path]


def test_a_ledger_of_a_newer_tunegate_is_left_alone(ledger: SqliteLedger) -> None:
    execute(ledger.path, "PRAGMA user_version = 2")
    before = ledger.path.read_bytes()
    for act in (lambda: ledger.history("houses"), lambda: ledger.create(promotion(2))):
        with pytest.raises(
            LedgerError, match=r"written by a newer tunegate \(schema 2\)"
        ) as refused:
            act()
        assert not isinstance(refused.value, Unreachable)
        assert refused.value.hint == "upgrade tunegate"
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database\n" * 1000, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_ledger_is_unreachable_and_left_alone(
    ledger: SqliteLedger, content: bytes
) -> None:
    ledger.path.write_bytes(content)
    for act in (lambda: ledger.history("houses"), lambda: ledger.create(promotion(2))):
        with pytest.raises(Unreachable, match="file is not a database") as refused:
            act()
        assert "check that the file is a ledger" in refused.value.hint
    assert ledger.path.read_bytes() == content


def test_a_file_cut_short_is_unreachable(ledger: SqliteLedger) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes()[:5000])
    with pytest.raises(Unreachable, match="malformed"):
        ledger.history("houses")


def test_a_file_whose_pages_are_damaged_is_unreachable(ledger: SqliteLedger) -> None:
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with pytest.raises(Unreachable, match="malformed"):
        ledger.history("houses")


def test_another_programs_database_is_unreachable(ledger_path: Path) -> None:
    ledger_path.parent.mkdir()
    execute(ledger_path, "PRAGMA user_version = 1")
    with pytest.raises(Unreachable, match="no such table"):
        SqliteLedger(ledger_path).history("houses")


@pytest.mark.parametrize("table", ["promotions", "outcomes"])
@pytest.mark.parametrize("document", ["", "{", "{}", "null"])
def test_a_record_that_cannot_be_read_is_said_and_not_passed_over(
    ledger: SqliteLedger, table: str, document: str
) -> None:
    execute(ledger.path, f"UPDATE {table} SET document = '{document}'")  # noqa: S608 - ours
    for act in (lambda: ledger.history("houses"), lambda: ledger.create(promotion(2))):
        with pytest.raises(LedgerError, match="a record cannot be read"):
            act()


def test_while_another_process_writes_the_ledger_can_be_read(
    ledger: SqliteLedger, lock: sqlite3.Connection
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    assert ledger_states(ledger) == ["live"]


def test_a_lock_that_is_not_released_in_time_is_unreachable(
    ledger: SqliteLedger, lock: sqlite3.Connection
) -> None:
    lock.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="locked"):
        ledger.create(promotion(2))
    lock.execute("ROLLBACK")
    ledger.create(promotion(2))
    assert ledger_states(ledger) == ["live", "in flight"]


def test_a_file_that_another_process_has_for_itself_is_unreachable(
    ledger: SqliteLedger, lock: sqlite3.Connection
) -> None:
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unreachable, match="locked"):
        ledger.history("houses")
    with pytest.raises(Unreachable, match="locked"):
        ledger.close("houses", 1, outcome())


def test_in_a_read_only_folder_the_ledger_can_be_read_and_not_written(ledger: SqliteLedger) -> None:
    with read_only(ledger.path.parent):
        assert ledger_states(ledger) == ["live"]
        with pytest.raises(Unreachable, match=r"readonly|unable to open"):
            ledger.create(promotion(2))
    assert ledger_states(ledger) == ["live"]


def test_a_new_ledger_in_a_read_only_folder_is_unreachable(tmp_path: Path) -> None:
    with (
        read_only(tmp_path),
        pytest.raises(Unreachable, match=r"unable to open|Read-only|Permission"),
    ):
        SqliteLedger(tmp_path / "ledger.db").create(promotion())


def test_a_path_that_the_system_refuses_is_unreachable(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / ("x" * 300))
    with pytest.raises(Unreachable, match="too long"):
        ledger.history("houses")
    with pytest.raises(Unreachable):
        ledger.create(promotion())


def test_a_full_disk_is_unreachable_and_nothing_is_half_written(tmp_path: Path) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        ledger = SqliteLedger(volume / "ledger.db")
        advance(ledger, "live")
        ballast = fill(volume)
        with pytest.raises(Unreachable, match=r"full|disk I/O error"):
            ledger.create(promotion(2, reasons=("a long story" * 1000,)))
        assert ledger_states(ledger) == ["live"]
        ballast.unlink()
        ledger.create(promotion(2))
        assert ledger_states(ledger) == ["live", "in flight"]
