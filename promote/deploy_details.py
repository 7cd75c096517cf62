"""deploy_details.json: what was, what came, what serves now, in the form that its users know."""

from datetime import datetime
from typing import Any

from promote.verdict import Verdict
from registry import Entry
from registry.record import Aware, Record


class DeployDetails(Record, frozen=True, kw_only=True):
    """Contents of the file; its JSON schema is `promote/deploy_details.schema.json`.

    Each model is `{<metric>, version, uri}` or null: `old_model` was in production before, `new_model` is the
    candidate, `prod_model` is in production now. The metric is the cross-validated one, never the holdout's.
    """

    old_model: dict[str, float | str | None] | None
    new_model: dict[str, float | str | None] | None
    prod_model: dict[str, float | str | None] | None
    verdict: str | None
    reasons: tuple[str, ...]
    experiment: str | None
    trial: str | None
    sha256: str | None
    fingerprint: str | None
    decided_at: Aware | None


def deploy_details(
    verdict: Verdict, *, before: Entry | None, after: Entry | None, store_uri: str, now: datetime
) -> DeployDetails:
    """Put a decision into the file's form.

    Args:
        verdict: the gate's answer.
        before: the champion before the promotion.
        after: the champion after it; the same where none took place.
        store_uri: address of the model store, such as `pvc://tunegate-models` or `file:///var/lib/models`.
        now: when it was decided.
    """
    new = verdict.candidate
    promoted = after is not None and new is not None and after.promotion.sha256 == new.sha256
    if promoted and after:
        version = _version(after)
    else:
        version = new.trial if new else ""
    if new:
        candidate = _model(
            verdict.metric, verdict.score, version, f"{store_uri}/trials/{new.trial}"
        )
    else:
        candidate = None
    return DeployDetails(
        old_model=_from_entry(before, store_uri),
        new_model=candidate,
        prod_model=_from_entry(after, store_uri),
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        experiment=new.experiment if new else None,
        trial=new.trial if new else None,
        sha256=new.sha256 if new else None,
        fingerprint=verdict.fingerprint or None,
        decided_at=now,
    )


def rollback_details(
    *, before: Entry | None, after: Entry, store_uri: str, now: datetime
) -> DeployDetails:
    """Put a rollback into the file's form: no verdict was asked for, and what returns is no new model."""
    promotion = after.promotion
    return DeployDetails(
        old_model=_from_entry(before, store_uri),
        new_model=None,
        prod_model=_from_entry(after, store_uri),
        verdict=None,
        reasons=promotion.reasons,
        experiment=promotion.experiment or None,
        trial=promotion.trial or None,
        sha256=promotion.sha256,
        fingerprint=promotion.fingerprint or None,
        decided_at=now,
    )


def _from_entry(entry: Entry | None, store_uri: str) -> dict[str, Any] | None:
    if entry is None:
        return None
    promotion = entry.promotion
    return _model(
        promotion.metric, promotion.score, _version(entry), f"{store_uri}/models/{promotion.sha256}"
    )


def _model(metric: str, score: float | None, version: str, uri: str) -> dict[str, Any]:
    return {metric or "score": score, "version": version, "uri": uri}


def _version(entry: Entry) -> str:
    return f"promotion-{entry.promotion.number:04d}"
