"""The ledger in a bucket: an object a record, each created once and never changed.

ledger/<model>/00000001.json            a promotion
ledger/<model>/00000001.outcome.json    its outcome
ledger/<model>/challenge-00000001.json  a decision about a candidate

Numbers have no gaps, so the history is read by number until one is missing: no list is needed, and
a stale one can do no harm. Each object also has its digest in the chain, and names the call that
wrote it, which tells a repeated request that its first attempt has arrived after all.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import TypeVar
from uuid import uuid4

from registry.bucket.bucket import Bucket, Taken
from registry.chain import (
    StoredChallenge,
    StoredEntry,
    challenges_head,
    check_chain,
    check_challenges,
    link,
)
from registry.errors import Conflict, DamagedLedger, LedgerError, StoreError, Unreachable
from registry.ledger import (
    Chain,
    Challenge,
    Entry,
    Outcome,
    Promotion,
    challenge_taken,
    check_next,
    check_next_challenge,
    number_taken,
)
from registry.record import InvalidRecord, Record, Sha256

LIMIT = 1 << 20  # bytes of a record
AT_ONCE = 8  # entries that are asked for together
T = TypeVar("T")


class WrittenPromotion(Record, frozen=True, kw_only=True):
    """A promotion, its digest in the chain, and the call that wrote it."""

    writer: str
    digest: Sha256
    promotion: Promotion


class WrittenOutcome(Record, frozen=True, kw_only=True):
    """An outcome, its digest in the chain, and the call that wrote it."""

    writer: str
    digest: Sha256
    outcome: Outcome


class WrittenChallenge(Record, frozen=True, kw_only=True):
    """A challenge, its digest in the challenges' chain, and the call that wrote it."""

    writer: str
    digest: Sha256
    challenge: Challenge


R = TypeVar("R", WrittenPromotion, WrittenOutcome, WrittenChallenge)


class BucketLedger:
    """Ledger port in an object store, see the module.

    Raises:
        LedgerError: when two promotions could both take a number there.
    """

    def __init__(self, bucket: Bucket) -> None:
        if not bucket.conditional:
            raise LedgerError(
                f"{bucket.url}: this place has no conditional write, so two promotions could take "
                "the same number",
                hint="keep the ledger in a file, a Model Registry, or at s3://, gs:// or az://",
            )
        self.bucket = bucket
        self._closed: dict[str, tuple[StoredEntry, ...]] = {}  # they never change
        self._challenges: dict[str, tuple[StoredChallenge, ...]] = {}  # nor do these

    def history(self, model: str) -> Sequence[Entry]:
        """All entries of a model, oldest first."""
        return list(self.chain(model).entries)

    def chain(self, model: str) -> Chain:
        """The same entries, and how far digests vouch for them."""
        return check_chain(model, self._stored_entries(model))

    def _stored_entries(self, model: str) -> Sequence[StoredEntry]:
        known = self._closed.get(model, ())
        entries = _read_on(known, lambda number: self._entry(model, number))
        entries = [self._reread(each, newest=entries[-1]) for each in entries]
        self._closed[model] = tuple(takewhile(lambda each: each.entry.outcome, entries))
        return entries

    def create(self, promotion: Promotion) -> None:
        """Append a promotion; see the port's contract."""
        before = self.chain(promotion.model)
        check_next(promotion, before.entries)
        digest = link(before.head, promotion)
        written = WrittenPromotion(writer=uuid4().hex, digest=digest, promotion=promotion)
        name = _promotion_name(promotion.model, promotion.number)
        if not self._create(name, written):
            raise number_taken(promotion)

    def close(self, model: str, number: int, outcome: Outcome) -> None:
        """Record an outcome; see the port's contract."""
        before = self.chain(model)
        if number not in range(1, len(before.entries) + 1):
            raise LedgerError(f"promotion {number} of {model} does not exist")
        closed = before.entries[number - 1].outcome
        digest = link(before.head, outcome)
        written = WrittenOutcome(writer=uuid4().hex, digest=digest, outcome=outcome)
        if closed or not self._create(_outcome_name(model, number), written):
            raise Conflict(f"promotion {number} of {model} is closed already")

    def challenges(self, model: str) -> Sequence[Challenge]:
        """All decisions about a model, oldest first."""
        known = self._challenges.get(model, ())
        found = tuple(_read_on(known, lambda number: self._challenge(model, number)))
        self._challenges[model] = found
        return check_challenges(model, found)

    def record(self, challenge: Challenge) -> None:
        """Append a decision; see the port's contract."""
        before = self.challenges(challenge.model)
        check_next_challenge(challenge, before)
        digest = link(challenges_head(before), challenge)
        written = WrittenChallenge(writer=uuid4().hex, digest=digest, challenge=challenge)
        if not self._create(_challenge_name(challenge.model, challenge.number), written):
            raise challenge_taken(challenge)

    def _challenge(self, model: str, number: int) -> StoredChallenge | None:
        written = self._record(WrittenChallenge, _challenge_name(model, number))
        return StoredChallenge(written.challenge, written.digest) if written else None

    def _reread(self, stored: StoredEntry, *, newest: StoredEntry) -> StoredEntry:
        """Read an entry again whose outcome must have come while later ones were read."""
        if stored.entry.outcome or stored is newest:
            return stored
        promotion = stored.entry.promotion
        return self._entry(promotion.model, promotion.number) or stored

    def _entry(self, model: str, number: int) -> StoredEntry | None:
        written = self._record(WrittenPromotion, _promotion_name(model, number))
        if written is None:
            return None
        closed = self._record(WrittenOutcome, _outcome_name(model, number))
        if closed is None:
            return StoredEntry(Entry(promotion=written.promotion), written.digest)
        entry = Entry(promotion=written.promotion, outcome=closed.outcome)
        return StoredEntry(entry, written.digest, closed.digest)

    def _create(self, name: str, record: R) -> bool:
        """Write a record; False when another writer was faster."""
        try:
            _as_unreachable(lambda: self.bucket.create(name, record.to_json()))
        except Taken:
            there = self._record(type(record), name)
            return there is not None and there.writer == record.writer
        return True

    def _record(self, kind: type[R], name: str) -> R | None:
        blob = _as_unreachable(lambda: self.bucket.read(name, limit=LIMIT))
        if blob is None:
            return None
        try:
            return kind.parse(blob.data)
        except InvalidRecord as error:
            raise DamagedLedger(
                f"{self.bucket.url}/{name}: the record cannot be read: {error}",
                hint="restore the object from the bucket's versions",
            ) from error


def _read_on(known: Sequence[T], read: Callable[[int], T | None]) -> list[T]:
    """Return what is known and what follows, read by number until one is missing."""
    found = list(known)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            numbers = range(len(found) + 1, len(found) + 1 + AT_ONCE)
            asked = list(pool.map(read, numbers))
            found += [each for each in takewhile(lambda each: each is not None, asked) if each]
            if None in asked:
                return found


def _as_unreachable(call: Callable[[], T]) -> T:
    try:
        return call()
    except StoreError as error:
        raise Unreachable(str(error), hint=error.hint) from error


def _promotion_name(model: str, number: int) -> str:
    return f"ledger/{model}/{number:08}.json"


def _outcome_name(model: str, number: int) -> str:
    return f"ledger/{model}/{number:08}.outcome.json"


def _challenge_name(model: str, number: int) -> str:
    return f"ledger/{model}/challenge-{number:08}.json"
