"""The ledger: an append-only list of promotions, and the only truth about what is in production.

The contract, which `tests/contract/ledger.py` checks on every adapter:

- **Creation is the compare-and-swap.** Of any number of writers that create promotion N of a model
  at once, exactly one succeeds; the others get `Conflict`. They must read and decide again, because
  N may have changed the champion.
- **Numbers rise.** Promotion N can be created only when N is one more than the newest number; the
  first is 1.
- **One in flight.** A promotion without an outcome is in flight. Creating its successor raises
  `InFlight`; it must be closed first, by its own run or, after its lease, by `repair`.
- **One outcome.** Closing N creates its outcome, `live` or `reverted`, once; a second close raises
  `Conflict`, even with the same outcome.
- **Append-only.** There is no update and no delete; a rollback is one more promotion.
- **Challenges are a list of their own.** Each decision about a candidate is recorded, whatever it
  was. Challenge N can be recorded only when N is one more than the newest; of several writers one
  succeeds, the others get `Conflict`. No challenge changes what `history` returns, nor who may
  create what.
- **Nothing changes unseen.** Each record carries a digest of itself and of all before it, see
  `registry.chain`; challenges have a chain of their own. `history` and `challenges` raise
  `DamagedLedger` where a record is missing or not as it was written.
- **Read your writes.** After `create`, `close` or `record` returns, every reader of the same
  backend sees the record, and a record that was seen survives a crash of the writer.
- Order comes from the numbers alone, never from a clock. The timestamps are for people and for the
  lease.
- A backend that does not answer raises `Unreachable`. Whether the last write succeeded is then
  unknown, so read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from registry.errors import Conflict, InFlight, LedgerError
from registry.record import Aware, Count, Positive, Record, Sha256


class Promotion(Record, frozen=True, kw_only=True):
    """One numbered entry: this package is to go into production.

    Attributes:
        model: name of the model, the data set's name.
        number: its place in the model's ledger, from 1.
        sha256: the package's digest.
        kind: "first" had no champion to beat, "rollback" returns to an earlier package.
        previous: number of the champion that it replaces, None for the first.
        verdict: sha256 of the verdict's JSON; empty for a rollback.
        reasons: the verdict's reasons, or why the rollback was made.
        metric: name of the metric that `score` is of.
        score: cross-validated score that the gate saw (never the holdout's), None when unknown.
        signer: whose signature the package has, see `registry.package.signing`; empty where none
            was made or asked for.
        actor: who or what promoted.
        owner: the process that carries it out, host:pid; once that has ended, others may take over.
        created_at: when, with a zone.
        lease: seconds after which others may close an entry that is still in flight.
    """

    model: str
    number: Positive
    sha256: Sha256
    kind: Literal["first", "promotion", "rollback"] = "promotion"
    previous: Positive | None = None
    experiment: str = ""
    trial: str = ""
    fingerprint: str = ""
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    metric: str = ""
    score: float | None = None
    git_commit: str = ""
    signer: str = ""
    actor: str = ""
    owner: str = ""
    created_at: Aware
    lease: Positive = 600

    def expired(self, now: datetime) -> bool:
        """Whether others may take the entry over."""
        return now >= self.created_at + timedelta(seconds=self.lease)


class Outcome(Record, frozen=True, kw_only=True):
    """How a promotion ended."""

    result: Literal["live", "reverted"]
    note: str = ""
    closed_at: Aware


class Entry(Record, frozen=True, kw_only=True):
    """A promotion and its outcome; None while it is in flight."""

    promotion: Promotion
    outcome: Outcome | None = None

    @property
    def state(self) -> str:
        """`live`, `reverted` or `in flight`."""
        if self.outcome:
            return self.outcome.result
        return "in flight"


class Challenge(Record, frozen=True, kw_only=True):
    """One decision about a candidate: what was decided, when, by whom, on what evidence.

    Attributes:
        model: name of the model.
        number: its place among the model's challenges, from 1.
        decision: the verdict; a candidate that was promoted has an entry of its own besides.
        sha256: the candidate's digest; empty where its package was damaged.
        champion: number of the promotion that was challenged, None if nothing was in production.
        fingerprint: of the data that were judged on.
        verdict: sha256 of the verdict's JSON, which is the evidence.
        reasons: the verdict's.
        actor: who or what asked for the decision.
        decided_at: when, with a zone.
        count: which challenge it was on its rows; 0 where they decided nothing.
        question: sha256 of what was compared; to ask the same again is no further challenge.
        until: how long a promotion that waits for approval waits; None for other decisions.
        rows: the smallest hashes of the rows that decided, by which others of them are recognised.
    """

    model: str
    number: Positive
    decision: Literal["promote", "keep", "hold", "refuse"]
    sha256: str = ""
    champion: Positive | None = None
    experiment: str = ""
    trial: str = ""
    fingerprint: str = ""
    verdict: Sha256
    reasons: tuple[str, ...] = ()
    actor: str = ""
    decided_at: Aware
    count: Count = 0
    question: str = ""
    rows: tuple[Count, ...] = ()
    until: Aware | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A model's history, verified.

    Attributes:
        entries: oldest first.
        begins: number of the first promotion with a digest of its own; None if there is none yet.
        head: digest of the chain after the last record; `registry.chain.START` where there is
            no record.
    """

    entries: tuple[Entry, ...]
    begins: int | None
    head: str


class Ledger(Protocol):
    """The port; the module's docstring is its contract."""

    def history(self, model: str) -> Sequence[Entry]:
        """All entries of a model, oldest first; raises DamagedLedger or Unreachable."""
        ...

    def chain(self, model: str) -> Chain:
        """The same entries, and how far digests vouch for them; raises as `history` does."""
        ...

    def create(self, promotion: Promotion) -> None:
        """Append a promotion; raises Conflict, InFlight or Unreachable."""
        ...

    def close(self, model: str, number: int, outcome: Outcome) -> None:
        """Record an outcome; raises Conflict, LedgerError for an unknown number, or Unreachable."""
        ...

    def challenges(self, model: str) -> Sequence[Challenge]:
        """All decisions about a model, oldest first; raises DamagedLedger or Unreachable."""
        ...

    def record(self, challenge: Challenge) -> None:
        """Append a decision; raises Conflict, LedgerError for a gap, or Unreachable."""
        ...


def champion(history: Sequence[Entry]) -> Entry | None:
    """Return what is in production: the newest entry that is live."""
    return next((entry for entry in reversed(history) if entry.state == "live"), None)


def in_flight(history: Sequence[Entry]) -> Entry | None:
    """Return the newest entry when it has no outcome yet."""
    if history and history[-1].outcome is None:
        return history[-1]
    return None


def next_number(history: Sequence[Entry]) -> int:
    """Return the only number that may be created now."""
    if history:
        return history[-1].promotion.number + 1
    return 1


def check_next(promotion: Promotion, history: Sequence[Entry]) -> None:
    """Check that a promotion may follow this history.

    Raises:
        Conflict: when the number is taken.
        InFlight: when the newest entry has no outcome.
        LedgerError: when there would be a gap.
    """
    expected = next_number(history)
    if promotion.number < expected:
        raise number_taken(promotion)
    if open_entry := in_flight(history):
        raise InFlight(
            f"promotion {open_entry.promotion.number} of {promotion.model} is still in flight",
            hint="wait for it, or run `tunegate repair` once its lease is over",
        )
    if promotion.number > expected:
        raise LedgerError(
            f"promotion {promotion.number} would leave a gap: the next number is {expected}"
        )


def number_taken(promotion: Promotion) -> Conflict:
    """Return the error for a writer that was not the first."""
    return Conflict(
        f"promotion {promotion.number} of {promotion.model} exists already",
        hint="the champion may have changed: run the gate again",
    )


def check_next_challenge(challenge: Challenge, before: Sequence[Challenge]) -> None:
    """Check that a challenge may follow these.

    Raises:
        Conflict: when the number is taken.
        LedgerError: when there would be a gap.
    """
    expected = len(before) + 1
    if challenge.number < expected:
        raise challenge_taken(challenge)
    if challenge.number > expected:
        raise LedgerError(
            f"challenge {challenge.number} would leave a gap: the next number is {expected}"
        )


def challenge_taken(challenge: Challenge) -> Conflict:
    """Return the error for a writer that was not the first."""
    return Conflict(
        f"challenge {challenge.number} of {challenge.model} exists already",
        hint="another candidate was judged meanwhile: run the gate again",
    )
