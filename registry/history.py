"""A copy of the ledger's history, in a file next to the pointer, for servers: they see no ledger.

The ledger is the truth; the file may be missing or outdated, and nothing is decided by it. It does
not say who promoted, nor on which host.
"""

from collections.abc import Sequence
from typing import Literal, Self

from registry.ledger import Entry
from registry.record import Aware, Positive, Record, Sha256


class Past(Record, frozen=True, kw_only=True):
    """One promotion, as far as readers of the page may see it.

    Attributes:
        number: its place in the ledger, from 1.
        sha256: the package's digest.
        kind: "first" had no champion to beat, "rollback" returned to an earlier package.
        previous: number of the champion that it replaced.
        state: how it ended, or that it has not.
        reasons: why the gate let it pass, or why the rollback was made.
        metric: name of the metric that both scores are of.
        score: cross-validated, as the gate saw it.
        champion_score: the score of the promotion it replaced; perhaps on other data.
        note: the smoke test's result.
    """

    number: Positive
    sha256: Sha256
    kind: Literal["first", "promotion", "rollback"]
    previous: Positive | None
    state: Literal["live", "reverted", "in flight"]
    reasons: tuple[str, ...]
    metric: str
    score: float | None
    champion_score: float | None
    experiment: str
    trial: str
    note: str
    decided_at: Aware
    closed_at: Aware | None


class History(Record, frozen=True, kw_only=True):
    """Contents of `pointers/<model>.history.json`, oldest promotion first."""

    format: Literal[1] = 1
    model: str
    entries: tuple[Past, ...]

    @classmethod
    def of(cls, model: str, entries: Sequence[Entry]) -> Self:
        """Make the copy of a model's ledger."""
        scores = {entry.promotion.number: entry.promotion.score for entry in entries}
        return cls(model=model, entries=tuple(_project_entry(entry, scores) for entry in entries))


def _project_entry(entry: Entry, scores: dict[int, float | None]) -> Past:
    promotion = entry.promotion
    outcome = entry.outcome
    return Past(
        **Past.shared_with(promotion),
        state=outcome.result if outcome else "in flight",
        champion_score=scores.get(promotion.previous) if promotion.previous else None,
        note=outcome.note if outcome else "",
        decided_at=promotion.created_at,
        closed_at=outcome.closed_at if outcome else None,
    )
