"""Challenges: each decision about a candidate is kept in the ledger, whatever it was.

So a refusal says afterwards what was refused, when, by whom, and on what evidence.
"""

from datetime import datetime

from promote.verdict import Verdict
from registry import Challenge, Entry, Ledger


def record_challenge(
    ledger: Ledger,
    model: str,
    verdict: Verdict,
    champion: Entry | None,
    *,
    actor: str,
    now: datetime,
) -> Challenge:
    """Record a verdict, unless the ledger has it already, and return the record.

    Args:
        ledger: where.
        model: whose ledger.
        verdict: what was decided, and why.
        champion: what was in production then.
        actor: who or what asked for the decision.
        now: the time of day, with a zone.

    Raises:
        Conflict: when another candidate was recorded meanwhile.
        LedgerError: when the ledger fails.
    """
    before = ledger.challenges(model)
    digest = verdict.digest()
    known = next((each for each in before if each.verdict == digest), None)
    if known:
        return known
    candidate = verdict.candidate
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
        actor=actor,
        decided_at=now,
    )
    ledger.record(challenge)
    return challenge
