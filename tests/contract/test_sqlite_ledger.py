import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from contract.ledger import Connect, LedgerContract, advance
from support.registry.ledgers import challenge, outcome, promotion
from support.registry.volumes import fill, read_only, tiny_volume

from registry import DamagedLedger, Ledger, LedgerError, RegistryError, Unreachable
from registry.chain import START
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
    execute(ledger.path, "PRAGMA user_version = 3")
    before = ledger.path.read_bytes()
    for act in (lambda: ledger.history("houses"), lambda: ledger.create(promotion(2))):
        with pytest.raises(
            LedgerError, match=r"written by a newer tunegate \(schema 3\)"
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


FIRST_SCHEMA = """
    CREATE TABLE promotions (model TEXT, number INTEGER, document TEXT NOT NULL,
                             PRIMARY KEY (model, number)) STRICT;
    CREATE TABLE outcomes (model TEXT, number INTEGER, document TEXT NOT NULL,
                           PRIMARY KEY (model, number)) STRICT;
    PRAGMA user_version = 1;
"""


def first_ledger(path: Path, *results: str) -> SqliteLedger:
    """Write a ledger as release 0.2 did; "" leaves the last promotion in flight."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST_SCHEMA)
        for number, result in enumerate(results, start=1):
            document = promotion(number).to_json().decode()
            connection.execute("INSERT INTO promotions VALUES ('houses', ?, ?)", (number, document))
            if result:
                document = outcome(result).to_json().decode()
                values = (number, document)
                connection.execute("INSERT INTO outcomes VALUES ('houses', ?, ?)", values)
    return SqliteLedger(path)


def test_a_ledger_without_digests_is_read_and_left_as_it_is(ledger_path: Path) -> None:
    ledger = first_ledger(ledger_path, "live", "reverted", "")
    before = ledger_path.read_bytes()
    assert ledger_states(ledger) == ["live", "reverted", "in flight"]
    assert ledger.chain("houses").begins is None
    assert ledger_path.read_bytes() == before


def test_the_next_record_of_an_old_ledger_begins_the_chain_and_covers_what_is_before(
    ledger_path: Path,
) -> None:
    ledger = first_ledger(ledger_path, "live", "")
    ledger.close("houses", 2, outcome("reverted"))
    assert ledger.chain("houses").begins == 2
    advance(ledger, "live")
    assert ledger_states(ledger) == ["live", "reverted", "live"]
    execute(ledger_path, "UPDATE promotions SET document = replace(document, '1', '2')")
    with pytest.raises(DamagedLedger):
        ledger.history("houses")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE promotions SET document = replace(document, '{f}1', '{f}3')", "promotion 1 of"),
        ("UPDATE outcomes SET document = replace(document, 'live', 'reverted')", "promotion 1 of"),
        ("DELETE FROM promotions WHERE number = 1", "promotion 1 of houses is missing"),
        ("DELETE FROM promotions WHERE number = 3", "the last record of houses"),
        ("DELETE FROM outcomes WHERE number = 2", "the outcome of promotion 2 of houses"),
        ("DELETE FROM outcomes WHERE number = 3", "the last record of houses"),
        ("UPDATE promotions SET number = 10 - number WHERE number > 1", "promotion 2 of houses"),
        ("UPDATE promotions SET digest = ''", "promotion 2 of houses"),
        ("UPDATE promotions SET model = 'homes'", "the last record of houses"),
        ("DELETE FROM heads", "the last record of houses"),
    ],
    ids=lambda value: "" if value.startswith(("promotion", "the ")) else value,
)
def test_what_was_changed_removed_or_moved_is_found_and_named(
    ledger: SqliteLedger, statement: str, said: str
) -> None:
    advance(ledger, "live", "live")
    execute(ledger.path, statement.replace("{f}", "0" * 62))
    for act in (lambda: ledger.history("houses"), lambda: ledger.create(promotion(4))):
        with pytest.raises(DamagedLedger, match=said) as refused:
            act()
        assert "restore the ledger" in refused.value.hint


def test_an_old_ledger_has_no_challenges_and_takes_one(ledger_path: Path) -> None:
    ledger = first_ledger(ledger_path, "live")
    before = ledger_path.read_bytes()
    assert list(ledger.challenges("houses")) == []
    assert ledger_path.read_bytes() == before
    ledger.record(challenge(1))
    assert list(ledger.challenges("houses")) == [challenge(1)]
    assert ledger_states(advance_one(ledger)) == ["live", "live"]


def advance_one(ledger: SqliteLedger) -> SqliteLedger:
    advance(ledger, "live")
    return ledger


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE challenges SET document = replace(document, 'keep', 'hold') WHERE number = 1",
        "DELETE FROM challenges WHERE number = 1",
        "DELETE FROM challenges WHERE number = 2",
        "UPDATE challenges SET digest = ''",
        "DROP TABLE challenges",
    ],
)
def test_a_challenge_that_was_changed_or_removed_is_found(
    ledger: SqliteLedger, statement: str
) -> None:
    for number in (1, 2):
        ledger.record(challenge(number))
    execute(ledger.path, statement)
    for act in (lambda: ledger.challenges("houses"), lambda: ledger.record(challenge(3))):
        with pytest.raises(DamagedLedger, match="challenge"):
            act()
    assert ledger_states(ledger) == ["live"]


def test_the_first_digest_is_the_one_that_earlier_versions_wrote(ledger: SqliteLedger) -> None:
    ledger.create(promotion(1).replace(model="homes"))
    written = "525e8965f7d92a65659e9bfa503f3967ab1eca9d49a97b0007fbf3244d0b48d1"
    assert ledger.chain("homes").head == written


def test_the_chain_of_an_empty_ledger_begins_nowhere(ledger: SqliteLedger) -> None:
    chain = ledger.chain("iris")
    assert (chain.entries, chain.begins, chain.head) == ((), None, START)


def test_no_single_bit_changes_the_history_unseen(ledger: SqliteLedger, tmp_path: Path) -> None:
    advance(ledger, "reverted", "live")
    sound = ledger.path.read_bytes()
    written = ledger.history("houses")
    rng = random.Random(1)  # noqa: S311 - repeatable
    damaged = SqliteLedger(tmp_path / "damaged.db", timeout=0)
    for _ in range(300):
        content = bytearray(sound)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        damaged.path.write_bytes(content)
        try:
            assert damaged.history("houses") == written
        except RegistryError as error:
            assert error.hint  # noqa: PT017 - most flipped bits are in no record


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
