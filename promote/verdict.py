"""The verdict: what was decided, by which checks, on which evidence.

It holds no time and no machine's name, so the same inputs and seed give the same bytes.
"""

import hashlib
from collections.abc import Sequence
from html import escape
from typing import Literal, Self

from msgspec import structs, to_builtins

from promote.policy import GatePolicy
from registry.package import ModelPackage, find_metric
from registry.record import JsonObject, Positive, Record
from registry.shadow import ShadowEvidence

Decision = Literal["promote", "keep", "hold", "refuse"]
APPROVAL = "approval"  # the name of its check
MOVED_P = 0.05
MOVED_PSI = 0.1
SEVERITY: dict[Decision, int] = {"promote": 0, "keep": 1, "hold": 2, "refuse": 3}


class Check(Record, frozen=True, kw_only=True):
    """One check of the gate; `otherwise` is the decision that a failed check calls for."""

    name: str
    passed: bool
    detail: str
    otherwise: Decision = "refuse"


class Comparison(Record, frozen=True, kw_only=True):
    """Two models' mean losses over the same rows, and a paired bootstrap of the difference.

    Attributes:
        candidate: the candidate's mean loss.
        champion: the other's, in the same unit.
        gain: champion - candidate; above 0 the candidate is better.
        low: 5 % quantile of the bootstrapped gain.
        high: 95 % quantile.
        p_better: share of resamples in which the candidate is better.
        rows: how many rows.
    """

    candidate: float
    champion: float
    gain: float
    low: float
    high: float
    p_better: float
    rows: int


class ModelSummary(Record, frozen=True, kw_only=True):
    """What a reader of the verdict needs to know of one of the two models.

    `algorithm` is the learner; the first verdicts did not state it.
    """

    sha256: str
    experiment: str
    trial: str
    parameters: dict[str, bool | int | float | str | None]
    search_score: float
    algorithm: str = ""

    @classmethod
    def of(cls, package: ModelPackage) -> Self:
        """Summarize a package."""
        manifest = package.manifest
        return cls(
            sha256=package.digest,
            experiment=manifest.provenance.experiment,
            trial=manifest.provenance.trial,
            parameters=manifest.parameters,
            search_score=manifest.cross_validation.score,
            algorithm=manifest.algorithm,
        )


class ColumnDrift(Record, frozen=True, kw_only=True):
    """How far a column of the new rows is from that of the rows that the champion was trained on.

    Attributes:
        column: its name.
        psi: population stability index over ten quantiles, or over the categories; by custom 0.1
            is little and 0.25 is much.
        test: "ks", Kolmogorov and Smirnov's two-sample test, or "chi2" where there is no order.
        statistic: of the test.
        p: of the test, adjusted for the number of columns (Benjamini and Hochberg 1995).
    """

    column: str
    psi: float
    test: Literal["ks", "chi2"]
    statistic: float
    p: float

    @property
    def has_moved(self) -> bool:
        """Whether the column has moved beyond chance, and by more than a little."""
        return self.p < MOVED_P and self.psi >= MOVED_PSI


class ChallengeCount(Record, frozen=True, kw_only=True):
    """How often the rows have decided about challengers, and what follows.

    Attributes:
        number: of this challenge on these rows, from 1; earlier ones count as far as they were
            decided by the same rows.
        least: P(better) that key one asks for in this challenge; None in the mode strict-lower.
    """

    number: Positive
    least: float | None = None


class Approval(Record, frozen=True, kw_only=True):
    """A person's consent to a promotion that passes the gate."""

    by: str
    reason: str = ""

    def __str__(self) -> str:
        """Return who, and why."""
        return f"approved by {self.by}" + (f": {self.reason}" if self.reason else "")


class Finalist(Record, frozen=True, kw_only=True):
    """One of a search's best trials, scored once more on folds that search and gate do not use.

    Attributes:
        search_score: what the search saw, in the metric's own sense.
        loss: mean out-of-fold loss on those folds, lower is better.
    """

    trial: str
    sha256: str
    search_score: float
    loss: float


def best_finalist(finalists: Sequence[Finalist]) -> int:
    """Return the index of the least loss; of equals the search's better one."""
    return min(range(len(finalists)), key=lambda index: finalists[index].loss)


# Fields that the first verdicts, and their policies, did not have.
LATER = frozenset({"shadow", "finalists", "new_rows", "drift", "challenge", "approval"})
LATER_POLICY = frozenset(
    {
        "shadow_rows",
        "finalists",
        "p_searched",
        "slices",
        "challenges_alpha",
        "approval_days",
        "max_calibration_error",
        "min_coverage",
        "max_memory",
        "max_microseconds",
    }
)
LATER_SUMMARY = frozenset({"algorithm"})


class Verdict(Record, frozen=True, kw_only=True):
    """The gate's answer.

    Attributes:
        verdict: promote, keep (the champion), hold (no decision yet) or refuse.
        kind: "first" where there is no champion to beat.
        reasons: one sentence for each failed check, or why it is promoted.
        checks: every check, passed or not, in order.
        recipe: key one: fresh cross-validation of both recipes; for a first model, against the
            library's default.
        new_rows: key one on the rows that are new to the champion alone; left out if the data are
            the champion's, or too few rows are new.
        drift: how far each column has moved since the champion was trained, which decides nothing;
            left out if the data are the champion's.
        holdout: key two: both fitted packages on the holdout; for a first model, against a trivial
            baseline.
        excluded: holdout rows left out because the champion was trained on them.
        shadow: how the candidate differed from this champion on real requests; left out if no
            server was asked.
        finalists: among which the candidate was chosen, in the search's order; left out if it was
            named, as it is for `tunegate approve`.
        challenge: how often these rows have decided; left out where nobody counts, or they decided
            nothing.
        approval: who has approved the promotion, and why; left out if nobody was named.
    """

    verdict: Decision
    kind: Literal["first", "promotion"]
    model: str
    metric: str
    mode: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    candidate: ModelSummary | None = None
    champion: ModelSummary | None = None
    recipe: Comparison | None = None
    holdout: Comparison | None = None
    fingerprint: str = ""
    holdout_digest: str = ""
    excluded: int = 0
    policy: GatePolicy = GatePolicy()
    shadow: ShadowEvidence | None = None
    finalists: tuple[Finalist, ...] = ()
    new_rows: Comparison | None = None
    drift: tuple[ColumnDrift, ...] = ()
    challenge: ChallengeCount | None = None
    approval: Approval | None = None

    @property
    def waits_for_approval(self) -> bool:
        """Whether nothing is missing but a person's consent."""
        return [check.name for check in self.checks if not check.passed] == [APPROVAL]

    @property
    def score(self) -> float | None:
        """The candidate's cross-validated score in the metric's own sense.

        It comes from key one; from the search if key one was not checked, or compared another loss
        in the metric's place; None without a candidate.
        """
        from_loss = find_metric(self.metric).from_loss if self.metric else None
        if self.recipe is None or from_loss is None:
            return self.candidate.search_score if self.candidate else None
        return from_loss(self.recipe.candidate)

    @property
    def least_recipe(self) -> float:
        """What key one asked for: in this challenge, or without a count."""
        if self.challenge and self.challenge.least is not None:
            return self.challenge.least
        return self.policy.least_recipe(searched=bool(self.finalists))

    def to_dict(self) -> JsonObject:
        """Return the fields; those of `LATER` only if set: old verdicts keep their digests."""
        fields = _without_defaults(self, LATER)
        fields["policy"] = _without_defaults(self.policy, LATER_POLICY)
        for role, summary in (("candidate", self.candidate), ("champion", self.champion)):
            if summary:
                fields[role] = _without_defaults(summary, LATER_SUMMARY)
        return fields

    def canonical(self) -> bytes:
        """Return the verdict as JSON bytes."""
        return self.to_json(indent=1) + b"\n"

    def digest(self) -> str:
        """Return the sha256 of `canonical()`."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def sentence(self) -> str:
        """Return what was decided about which model, and why."""
        return f"{self.verdict} {self.model}: {'; '.join(self.reasons)}"

    def __repr__(self) -> str:
        return f"<Verdict {self.sentence()}>"

    def _repr_html_(self) -> str:
        return verdict_html(self)


def verdict_html(verdict: Verdict) -> str:
    """Return a verdict as a notebook shows it: the decision, its reasons, and every check."""
    rows = [
        ("ok" if check.passed else check.otherwise, check.name, check.detail)
        for check in verdict.checks
    ]
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<div><p><b>{escape(verdict.verdict)}</b>: {escape('; '.join(verdict.reasons))}</p>"
        f"<details><summary>{len(rows)} checks</summary><table>{lines}</table></details></div>"
    )


def gravest_decision(checks: Sequence[Check]) -> Decision:
    """Return the gravest decision that a failed check calls for; promote if none failed."""
    failed = [check.otherwise for check in checks if not check.passed]
    return max(failed, key=SEVERITY.__getitem__, default="promote")


def _without_defaults(record: Record, later: frozenset[str]) -> JsonObject:
    """Return a record's fields, without those of `later` that have their defaults."""
    defaults = {
        field.name: {} if field.default_factory is dict else field.default
        for field in structs.fields(record)
    }
    fields: JsonObject = to_builtins(record)
    return {
        name: value
        for name, value in fields.items()
        if name not in later or value != defaults[name]
    }
