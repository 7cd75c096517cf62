"""deploy_details.json: the old, the new and the current model, in the form that its users know."""

from datetime import datetime

from promote.verdict import Verdict
from registry import Entry
from registry.record import Aware, JsonObject, Record


class DeployDetails(Record, frozen=True, kw_only=True):
    """Contents of the file; its JSON schema is `promote/deploy_details.schema.json`.

    Each model is `{<metric>, version, uri}` or null: `old_model` was in production before,
    `new_model` is the candidate, `prod_model` is in production now. The metric is the
    cross-validated one, never the holdout's.
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
        after: the champion after it; the same one if there was no promotion.
        store_uri: address of the model store, such as `pvc://tunegate-models` or
            `file:///var/lib/models`.
        now: when it was decided.
    """
    new = verdict.candidate
    return DeployDetails(
        old_model=_from_entry(before, store_uri),
        new_model=_from_candidate(verdict, after, store_uri),
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
    """Put a rollback into the file's form: it has no verdict, and brings no new model."""
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


def _from_candidate(verdict: Verdict, after: Entry | None, store_uri: str) -> JsonObject | None:
    new = verdict.candidate
    if new is None:
        return None
    version = new.trial
    if after is not None and after.promotion.sha256 == new.sha256:
        version = _promotion_name(after)
    uri = f"{store_uri}/trials/{new.trial}"
    return _model_details(verdict.metric, verdict.score, version, uri)


def _from_entry(entry: Entry | None, store_uri: str) -> JsonObject | None:
    if entry is None:
        return None
    promotion = entry.promotion
    uri = f"{store_uri}/models/{promotion.sha256}"
    return _model_details(promotion.metric, promotion.score, _promotion_name(entry), uri)


def _model_details(metric: str, score: float | None, version: str, uri: str) -> JsonObject:
    return {metric or "score": score, "version": version, "uri": uri}


def _promotion_name(entry: Entry) -> str:
    return f"promotion-{entry.promotion.number:04d}"
