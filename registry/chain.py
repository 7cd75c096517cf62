"""The digest chain of a ledger: no record can change, vanish or move without being noticed.

Each record, a promotion or its outcome, is stored with a digest of its own content and of the
digest before it. So the last digest stands for the whole history. Challenges have a chain of their
own, by the same rule. A ledger from before release 0.3
has records without digests; the first digest that is stored covers them too, as they were then.

The chain shows damage and mistakes. Whoever can write the ledger can also write a new chain.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from registry.errors import DamagedLedger
from registry.ledger import Chain, Challenge, Entry, Outcome, Promotion

START = "0" * 64  # stands before the first record
HINT = "restore the ledger from a backup; nothing that is in production was changed"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with the digests that are stored with its two records; empty where there are none.

    Attributes:
        entry: as it was read.
        digest: of the chain up to the promotion.
        closing_digest: of the chain up to the outcome.
    """

    entry: Entry
    digest: str = ""
    closing_digest: str = ""


def link(before: str, record: Promotion | Outcome | Challenge) -> str:
    """Return the sha256 of a digest and of the record that follows it.

    The record counts as it will be read: a score of 1 as 1.0.
    """
    record = record.parse(record.to_json())
    return hashlib.sha256(f"{before}\n{_canonical(record)}".encode()).hexdigest()


def check_chain(model: str, stored: Sequence[StoredEntry]) -> Chain:
    """Verify a model's history as it was read.

    Args:
        model: whose history.
        stored: oldest first.

    Raises:
        DamagedLedger: when an entry is missing, of another model, in another's place, or not as it
            was written; the message names it.
    """
    head = START
    begins = None
    for number, each in enumerate(stored, start=1):
        _check_place(model, number, each.entry, last=number == len(stored))
        records = ((each.entry.promotion, each.digest), (each.entry.outcome, each.closing_digest))
        for record, digest in records:
            if record is None:
                continue
            head = link(head, record)
            if digest and begins is None:
                begins = number
            if begins is not None and digest != head:
                raise DamagedLedger(
                    f"promotion {number} of {model} is not as it was written, or what is before it "
                    "is not: the digests do not agree",
                    hint=HINT,
                )
    return Chain(tuple(each.entry for each in stored), begins, head)


def closing_digests(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the digest of the chain after each entry, which are all closed."""
    found = []
    head = START
    for entry in entries:
        head = link(head, entry.promotion)
        if entry.outcome:
            head = link(head, entry.outcome)
        found.append(head)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class StoredChallenge:
    """A challenge with the digest of the challenges' chain up to it."""

    challenge: Challenge
    digest: str


def check_challenges(model: str, stored: Sequence[StoredChallenge]) -> tuple[Challenge, ...]:
    """Verify a model's challenges as they were read, oldest first.

    Raises:
        DamagedLedger: when one is missing, of another model, or not as it was written.
    """
    head = START
    for number, each in enumerate(stored, start=1):
        head = link(head, each.challenge)
        found = (each.challenge.model, each.challenge.number)
        if found != (model, number) or each.digest != head:
            raise DamagedLedger(
                f"challenge {number} of {model} is missing or not as it was written, "
                "or one before it is not: the digests do not agree",
                hint=HINT,
            )
    return tuple(each.challenge for each in stored)


def challenges_head(challenges: Sequence[Challenge]) -> str:
    """Return the digest of the chain after the last challenge; `START` without any."""
    head = START
    for challenge in challenges:
        head = link(head, challenge)
    return head


def _check_place(model: str, number: int, entry: Entry, *, last: bool) -> None:
    promotion = entry.promotion
    if promotion.number != number or promotion.model != model:
        raise DamagedLedger(
            f"promotion {number} of {model} is missing: "
            f"promotion {promotion.number} of {promotion.model} is in its place",
            hint=HINT,
        )
    if entry.outcome is None and not last:
        raise DamagedLedger(
            f"the outcome of promotion {number} of {model} is missing, though a later one exists",
            hint=HINT,
        )


def _canonical(record: Promotion | Outcome | Challenge) -> str:
    """Return JSON of the fields that differ from their defaults.

    A field that a later release adds, with a default, then leaves earlier digests as they are.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(record))}
    fields = {
        name: value
        for name, value in record.to_dict().items()
        if getattr(record, name) != defaults[name]
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))
