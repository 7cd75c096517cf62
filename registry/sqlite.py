"""The ledger in one SQLite file, for one machine.

Two tables, one row a record, the record's JSON as it was written. `BEGIN IMMEDIATE` takes the write
lock before the check, and the primary keys would refuse a duplicate even without it.

No write-ahead log: even reading would need space and permission for two more files, and switching
to it fails at once, whatever the timeout, while another process opens the same new file.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from registry.errors import Conflict, LedgerError, Unreachable
from registry.ledger import Entry, Outcome, Promotion, check_next
from registry.record import InvalidRecord

SCHEMA_VERSION = 1
TABLE_COLUMNS = "model TEXT, number INTEGER, document TEXT NOT NULL, PRIMARY KEY (model, number)"
SCHEMA = (
    f"CREATE TABLE promotions ({TABLE_COLUMNS}) STRICT",
    f"CREATE TABLE outcomes ({TABLE_COLUMNS}) STRICT",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
READ = """
    SELECT p.document, o.document FROM promotions p LEFT JOIN outcomes o USING (model, number)
    WHERE model = ? ORDER BY number
"""


class SqliteLedger:
    """Ledger port on a local file; safe for many processes at once. Each call opens a connection.

    Args:
        path: the database file; created, with its folder, at the first write.
        timeout: seconds to wait for another writer's lock before `Unreachable`.
    """

    def __init__(self, path: Path, *, timeout: float = 10.0) -> None:
        self.path = path
        self.timeout = timeout

    def history(self, model: str) -> Sequence[Entry]:
        """All entries of a model, oldest first."""
        if not self._file_exists():
            return []
        with self._transaction("BEGIN") as connection:
            return self._read_entries(connection, model)

    def create(self, promotion: Promotion) -> None:
        """Append a promotion; see the port's contract."""
        with self._transaction() as connection:
            check_next(promotion, self._read_entries(connection, promotion.model))
            self._insert_record(
                connection,
                "promotions",
                promotion.model,
                promotion.number,
                promotion.to_json().decode(),
            )

    def close(self, model: str, number: int, outcome: Outcome) -> None:
        """Record an outcome; see the port's contract."""
        with self._transaction() as connection:
            entry = next(
                (e for e in self._read_entries(connection, model) if e.promotion.number == number),
                None,
            )
            if entry is None:
                raise LedgerError(f"promotion {number} of {model} does not exist")
            if entry.outcome:
                raise Conflict(f"promotion {number} of {model} is {entry.state} already")
            self._insert_record(connection, "outcomes", model, number, outcome.to_json().decode())

    def _file_exists(self) -> bool:
        try:
            return self.path.exists()
        except OSError as error:  # such as a folder that may not be searched
            raise self._unreachable_error(error) from error

    def _read_entries(self, connection: sqlite3.Connection, model: str) -> list[Entry]:
        rows = connection.execute(READ, (model,)).fetchall()
        try:
            return [
                Entry(
                    promotion=Promotion.parse(promotion),
                    outcome=Outcome.parse(outcome) if outcome is not None else None,
                )
                for promotion, outcome in rows
            ]
        except InvalidRecord as error:
            raise LedgerError(
                f"{self.path}: a record cannot be read: {error}", hint="restore the file"
            ) from error

    def _insert_record(
        self, connection: sqlite3.Connection, table: str, model: str, number: int, document: str
    ) -> None:
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?)", (model, number, document))  # noqa: S608 - ours

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise self._unreachable_error(error) from error
        try:
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unreachable_error(error) from error
        finally:
            connection.close()  # an open transaction is rolled back

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None)
        try:
            if self._schema_version(connection) == 0:
                self._create_tables(connection)
            # An outcome that was seen must survive a power cut.
            connection.execute("PRAGMA synchronous = EXTRA")
        except BaseException:
            connection.close()
            raise
        return connection

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        if self._schema_version(connection) == 0:  # nobody was faster
            for statement in SCHEMA:
                connection.execute(statement)
        connection.execute("COMMIT")

    def _schema_version(self, connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"{self.path}: written by a newer tunegate (schema {version})",
                hint="upgrade tunegate",
            )
        return version

    def _unreachable_error(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"{self.path}: {error}",
            hint="check that the file is a ledger, readable and on a disk with space",
        )
