"""The ledger in one SQLite file, for one machine.

Two tables, one row a record: the record's JSON as it was written, and its digest (`chain`). A third
one has the last digest of each model, so that a lost last record is noticed too. `BEGIN IMMEDIATE`
takes the write lock before the check, and the primary keys would refuse a duplicate even without
it. A file of schema 1, which has no digests, is read as it is and altered by the next write.

Challenges have a table of their own, which the first one creates; earlier releases do not look at
it, and read the rest as before.

No write-ahead log: even reading would need space and permission for two more files, and switching
to it fails at once, whatever the timeout, while another process opens the same new file.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from registry.chain import (
    HINT,
    StoredChallenge,
    StoredEntry,
    challenges_head,
    check_chain,
    check_challenges,
    link,
)
from registry.errors import Conflict, DamagedLedger, LedgerError, Unreachable
from registry.ledger import (
    Chain,
    Challenge,
    Entry,
    Outcome,
    Promotion,
    check_next,
    check_next_challenge,
)
from registry.record import InvalidRecord

SCHEMA_VERSION = 2
TABLE_COLUMNS = "model TEXT, number INTEGER, document TEXT NOT NULL, PRIMARY KEY (model, number)"
FIRST_SCHEMA = (
    f"CREATE TABLE promotions ({TABLE_COLUMNS}) STRICT",
    f"CREATE TABLE outcomes ({TABLE_COLUMNS}) STRICT",
)
DIGESTS = (
    "ALTER TABLE promotions ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE outcomes ADD COLUMN digest TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE heads (model TEXT PRIMARY KEY, digest TEXT NOT NULL) STRICT",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
CHALLENGES = """
    CREATE TABLE IF NOT EXISTS challenges (
        model TEXT, number INTEGER, document TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (model, number)
    ) STRICT
"""
READ_CHALLENGES = "SELECT document, digest FROM challenges WHERE model = ? ORDER BY number"
READ = """
    SELECT p.document, p.digest, o.document, o.digest
    FROM promotions p LEFT JOIN outcomes o USING (model, number)
    WHERE model = ? ORDER BY number
"""
READ_FIRST = READ.replace("p.digest", "''").replace("o.digest", "''")
DAMAGE = (sqlite3.Error, OSError, UnicodeError)  # sqlite3 cannot even name some damaged tables


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
        return list(self.chain(model).entries)

    def chain(self, model: str) -> Chain:
        """The same entries, and how far digests vouch for them."""
        if not self._file_exists():
            return check_chain(model, ())
        with self._transaction("BEGIN") as connection:
            return self._read_chain(connection, model)

    def create(self, promotion: Promotion) -> None:
        """Append a promotion; see the port's contract."""
        with self._transaction() as connection:
            before = self._read_chain(connection, promotion.model)
            check_next(promotion, before.entries)
            digest = link(before.head, promotion)
            place = (promotion.model, promotion.number)
            self._insert_record(connection, "promotions", promotion, place, digest)

    def close(self, model: str, number: int, outcome: Outcome) -> None:
        """Record an outcome; see the port's contract."""
        with self._transaction() as connection:
            before = self._read_chain(connection, model)
            entry = next((e for e in before.entries if e.promotion.number == number), None)
            if entry is None:
                raise LedgerError(f"promotion {number} of {model} does not exist")
            if entry.outcome:
                raise Conflict(f"promotion {number} of {model} is {entry.state} already")
            digest = link(before.head, outcome)
            self._insert_record(connection, "outcomes", outcome, (model, number), digest)

    def challenges(self, model: str) -> Sequence[Challenge]:
        """All decisions about a model, oldest first."""
        if not self._file_exists():
            return ()
        with self._transaction("BEGIN") as connection:
            return self._read_challenges(connection, model)

    def record(self, challenge: Challenge) -> None:
        """Append a decision; see the port's contract."""
        with self._transaction() as connection:
            before = self._read_challenges(connection, challenge.model)
            check_next_challenge(challenge, before)
            connection.execute(CHALLENGES)
            digest = link(challenges_head(before), challenge)
            place = (challenge.model, challenge.number)
            self._insert_record(connection, "challenges", challenge, place, digest)

    def _file_exists(self) -> bool:
        try:
            self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:  # such as a folder that may not be searched
            raise self._unreachable_error(error) from error
        return True

    def _read_chain(self, connection: sqlite3.Connection, model: str) -> Chain:
        digests = self._schema_version(connection) > 1
        rows = connection.execute(READ if digests else READ_FIRST, (model,)).fetchall()
        with self._naming_damage():
            chain = check_chain(model, [_stored_entry(*row) for row in rows])
        if digests:
            self._check_head(connection, model, None if chain.begins is None else chain.head)
        return chain

    def _read_challenges(self, connection: sqlite3.Connection, model: str) -> tuple[Challenge, ...]:
        """Return the challenges; none in a file that no release with challenges has written."""
        if self._schema_version(connection) == 1:
            return ()
        rows = []
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'challenges'").fetchone():
            rows = connection.execute(READ_CHALLENGES, (model,)).fetchall()
        with self._naming_damage():
            found = check_challenges(
                model, [StoredChallenge(Challenge.parse(text), digest) for text, digest in rows]
            )
        head = challenges_head(found) if found else None
        self._check_head(connection, _challenges_of(model), head)
        return found

    def _check_head(self, connection: sqlite3.Connection, name: str, read: str | None) -> None:
        """Compare the last digest that was written with that which was read, None for none."""
        head = connection.execute("SELECT digest FROM heads WHERE model = ?", (name,)).fetchone()
        if (head and head[0]) != read:
            raise DamagedLedger(
                f"{self.path}: the last record of {name} that was written is missing", hint=HINT
            )

    @contextmanager
    def _naming_damage(self) -> Iterator[None]:
        try:
            yield
        except (InvalidRecord, TypeError) as error:
            raise DamagedLedger(
                f"{self.path}: a record cannot be read: {error}", hint=HINT
            ) from error

    def _insert_record(
        self,
        connection: sqlite3.Connection,
        table: str,
        record: Promotion | Outcome | Challenge,
        place: tuple[str, int],
        digest: str,
    ) -> None:
        if self._schema_version(connection) == 1:
            for statement in DIGESTS:
                connection.execute(statement)
        values = (*place, record.to_json().decode(), digest)
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", values)  # noqa: S608 - ours
        chain = place[0] if table != "challenges" else _challenges_of(place[0])
        connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (chain, digest))

    @contextmanager
    def _transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
        except DAMAGE as error:
            raise self._unreachable_error(error) from error
        try:
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
        except DAMAGE as error:
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
            for statement in (*FIRST_SCHEMA, *DIGESTS):
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


def _stored_entry(
    promotion: str, digest: str, outcome: str | None, closing_digest: str | None
) -> StoredEntry:
    entry = Entry(
        promotion=Promotion.parse(promotion),
        outcome=Outcome.parse(outcome) if outcome is not None else None,
    )
    return StoredEntry(entry, digest, closing_digest or "")


def _challenges_of(model: str) -> str:
    """Return the name of the challenges' chain; no model's name has a slash."""
    return f"{model}/challenges"
