"""How the ledger's records are named and written as ServeModels.

Server 0.2.19 writes a record in two steps. If it dies between them, the name is taken but listed
nowhere. Such a name is abandoned: the record is written as `promotion-000N.retry2`, and of several
the highest counts.

A challenge is `challenge-000N`, and closed at once. Readers of promotions skip its name.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mr_openapi as mr

from registry.chain import StoredChallenge, StoredEntry
from registry.errors import LedgerError
from registry.ledger import Challenge, Entry, Outcome, Promotion
from registry.record import InvalidRecord

ATTEMPTS = 9
# Each number has one spelling.
NAME = re.compile(r"promotion-(?!0000)([0-9]{4}|[1-9][0-9]{4,8})(\.outcome)?(?:\.retry([2-9]))?")
CHALLENGE_NAME = re.compile(r"challenge-(?!0000)([0-9]{4}|[1-9][0-9]{4,8})()(?:\.retry([2-9]))?")
OUTCOME = ".outcome"
DOCUMENT = "document"  # the property with the record as JSON
DIGEST = "digest"  # that with the digest of the chain up to it; the others are for people
Records = dict[tuple[int, str], mr.ServeModel]


@dataclass(frozen=True, slots=True)
class ServeRecord:
    """A ServeModel to write."""

    name: str
    version: str
    state: mr.ExecutionState
    properties: dict[str, str]

    @classmethod
    def opening(cls, promotion: Promotion, version: str, digest: str = "") -> "ServeRecord":
        """Return the record of a promotion that begins."""
        shown = {name: getattr(promotion, name) for name in ("sha256", "kind", "trial", "actor")}
        properties = {DOCUMENT: promotion.to_json().decode(), DIGEST: digest, **shown}
        return cls(f"promotion-{promotion.number:04d}", version, mr.ExecutionState.NEW, properties)

    @classmethod
    def closing(
        cls, number: int, outcome: Outcome, version: str, digest: str = ""
    ) -> "ServeRecord":
        """Return the record of how a promotion ended."""
        if outcome.result == "live":
            state = mr.ExecutionState.COMPLETE
        else:
            state = mr.ExecutionState.FAILED
        document = outcome.to_json().decode()
        properties = {DOCUMENT: document, DIGEST: digest, "result": outcome.result}
        return cls(f"promotion-{number:04d}{OUTCOME}", version, state, properties)

    @classmethod
    def judging(cls, challenge: Challenge, version: str, digest: str) -> "ServeRecord":
        """Return the record of a decision; `version` is that of the champion."""
        shown = {name: getattr(challenge, name) for name in ("decision", "trial", "actor")}
        properties = {DOCUMENT: challenge.to_json().decode(), DIGEST: digest, **shown}
        name = f"challenge-{challenge.number:04d}"
        return cls(name, version, mr.ExecutionState.CANCELED, properties)

    def names(self) -> Iterator[str]:
        """Yield the name, then those to use instead."""
        yield self.name
        yield from (f"{self.name}.retry{attempt}" for attempt in range(2, ATTEMPTS + 1))


def current_records(items: Iterable[mr.ServeModel]) -> Records:
    """Return the records that count, by number and kind ("" or ".outcome"); skip others."""
    return _named_records(items, NAME)


def stored_challenges(items: Iterable[mr.ServeModel]) -> list[StoredChallenge]:
    """Return the challenges with their digests, by number; skip others.

    Raises:
        LedgerError: when a record cannot be read.
    """
    records = _named_records(items, CHALLENGE_NAME)
    with _naming_records():
        return [
            StoredChallenge(
                Challenge.parse(_read_property(records[key], DOCUMENT)),
                _read_property(records[key], DIGEST),
            )
            for key in sorted(records)
        ]


def _named_records(items: Iterable[mr.ServeModel], name: re.Pattern[str]) -> Records:
    found: dict[tuple[int, str], tuple[int, mr.ServeModel]] = {}
    for item in items:
        if match := name.fullmatch(str(item.name)):
            key = (int(match[1]), match[2] or "")
            attempt = int(match[3] or 1)
            if key not in found or attempt > found[key][0]:
                found[key] = attempt, item
    return {key: item for key, (_, item) in found.items()}


def ledger_entries(records: Records) -> list[Entry]:
    """Return the ledger's entries, by number; raises as `stored_entries`."""
    return [stored.entry for stored in stored_entries(records)]


def stored_entries(records: Records) -> list[StoredEntry]:
    """Return the ledger's entries with their digests, by number.

    Raises:
        LedgerError: when a record cannot be read.
    """
    numbers = sorted(number for number, kind in records if not kind)
    with _naming_records():
        return [_stored_entry(records, number) for number in numbers]


@contextmanager
def _naming_records() -> Iterator[None]:
    try:
        yield
    except InvalidRecord as error:
        raise LedgerError(
            f"a record of the registry cannot be read: {error}", hint="was it written by hand?"
        ) from error


def _stored_entry(records: Records, number: int) -> StoredEntry:
    opened = records[number, ""]
    promotion = Promotion.parse(_read_property(opened, DOCUMENT))
    if promotion.number != number:
        raise LedgerError(
            f"the registry's record of promotion {number} is about number {promotion.number}",
            hint="was it written by hand?",
        )
    closed = records.get((number, OUTCOME))
    digest = _read_property(opened, DIGEST)
    if closed is None:
        return StoredEntry(Entry(promotion=promotion), digest)
    outcome = Outcome.parse(_read_property(closed, DOCUMENT))
    entry = Entry(promotion=promotion, outcome=outcome)
    return StoredEntry(entry, digest, _read_property(closed, DIGEST))


def _read_property(item: mr.ServeModel, name: str) -> str:
    value = (item.custom_properties or {}).get(name)
    if value:
        return str(getattr(value.actual_instance, "string_value", ""))
    return ""
