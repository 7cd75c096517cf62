"""Challenges: each decision about a candidate is kept in the ledger, whatever it was.

So a refusal says afterwards what was refused, when, by whom, and on what evidence; and the gate
knows how often the same rows have decided. Whoever asks often enough hears "better" by luck.

How often a row has decided is counted by the share of today's rows that an earlier challenge had:
the same data count whole, data of which half are new count half, other data nothing. So fresh rows
renew the budget by as much as they are. The ledger keeps no rows, only the smallest of their
hashes, by which that share is estimated.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from promote.errors import PromoteError
from promote.gate_input import Hashes
from promote.policy import GatePolicy
from promote.promotion import Promoter
from promote.verdict import Verdict
from registry import Challenge, Entry

SKETCH = 64  # hashes; the share is off by 6 points at most two times in three


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the rows: digest and rows are those of `registry.Challenge`."""

    digest: str
    rows: tuple[int, ...]


def make_question(
    candidate: str, champion: str, fingerprint: str, rows: Hashes, policy: GatePolicy
) -> Question:
    """Return what a challenge asks.

    Args:
        candidate: its digest.
        champion: its digest.
        fingerprint: of the data.
        rows: uint64 (n,), hashes of all rows, rounded.
        policy: its folds and mode belong to the question.
    """
    folds = (policy.mode, policy.seed, policy.repeats, policy.folds)
    asked = json.dumps([candidate, champion, fingerprint, *folds])
    smallest = np.unique(rows)[:SKETCH].tolist()
    return Question(hashlib.sha256(asked.encode()).hexdigest(), tuple(smallest))


def count_challenge(challenges: Sequence[Challenge], question: Question) -> int:
    """Return which challenge this is on its rows, from 1; the same question keeps its number."""
    counted = {each.question: each for each in reversed(challenges) if each.count}
    if question.digest in counted:
        return counted[question.digest].count
    shares = [shared_rows(question.rows, each.rows) for each in counted.values()]
    return 1 + round(sum(shares))


def shared_rows(today: Sequence[int], earlier: Sequence[int]) -> float:
    """Estimate which share of today's rows was among earlier ones, from the smallest hashes.

    Only hashes below the largest that was kept can be compared; if there are none, the rows count
    as the same.
    """
    known = set(earlier)
    reach = max(earlier, default=0) if len(earlier) >= SKETCH else float("inf")
    compared = [row for row in today if row <= reach]
    if not compared:
        return 1.0
    return sum(row in known for row in compared) / len(compared)


def check_hold(challenges: Sequence[Challenge], held: Verdict, now: datetime) -> None:
    """Check that a verdict which waits for approval has not waited too long.

    Raises:
        PromoteError: when it has.
    """
    record = _newest_record(challenges, held.digest())
    if record and record.until and record.until <= now:
        end = f"{record.until:%Y-%m-%d %H:%M %Z}"
        raise PromoteError(
            f"challenge c{record.number} waited for approval until {end}",
            hint="judge it again: `tunegate promote`",
        )


def record_challenge(
    promoter: Promoter,
    model: str,
    verdict: Verdict,
    champion: Entry | None,
    question: Question | None = None,
) -> Challenge:
    """Record a verdict, unless the ledger has it already, and return the record.

    A hold that has ended does not count: the same verdict waits again.

    Args:
        promoter: whose ledger, name and clock.
        model: the model's name.
        verdict: what was decided, and why.
        champion: what was in production then.
        question: what was asked of the rows, if they were asked.

    Raises:
        Conflict: when another candidate was recorded meanwhile.
        LedgerError: when the ledger fails.
    """
    before = promoter.ledger.challenges(model)
    digest = verdict.digest()
    now = promoter.clock()
    known = _newest_record(before, digest)
    if known and (known.until is None or now < known.until):
        return known
    candidate = verdict.candidate
    waits = verdict.waits_for_approval
    challenge = Challenge(
        model=model,
        number=len(before) + 1,
        decision=verdict.verdict,
        sha256=candidate.sha256 if candidate else "",
        champion=champion.promotion.number if champion else None,
        experiment=candidate.experiment if candidate else "",
        trial=candidate.trial if candidate else "",
        fingerprint=verdict.fingerprint,
        verdict=digest,
        reasons=verdict.reasons,
        actor=promoter.actor,
        decided_at=now,
        until=now + timedelta(days=verdict.policy.approval_days) if waits else None,
    )
    if verdict.challenge and question:
        challenge = challenge.replace(
            count=verdict.challenge.number, question=question.digest, rows=question.rows
        )
    promoter.ledger.record(challenge)
    return challenge


def _newest_record(challenges: Sequence[Challenge], verdict: str) -> Challenge | None:
    return next((each for each in reversed(challenges) if each.verdict == verdict), None)
