"""Gate a candidate, and promote it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from promote import GatePolicy
from promote.challenges import (
    Question,
    check_hold,
    count_challenge,
    make_question,
    record_challenge,
)
from promote.errors import PromoteError
from promote.finalists import Contender
from promote.gate import judge
from promote.gate_input import GateInput
from promote.shadow_client import fetch_shadow_status
from promote.verdict import Approval, Verdict, verdict_html
from registry import Entry
from registry.errors import Conflict, LedgerError, StoreError
from registry.metric_names import readable_number, scores_text, usual_scores
from registry.package import ModelPackage
from registry.shadow import ShadowEvidence
from tunegate.console import say, steps
from tunegate.promotion.candidates import (
    Contenders,
    PackageOrError,
    check_models,
    choose_candidate,
    current_champion,
    find_contenders,
    workspace_of_candidate,
)
from tunegate.promotion.loss_cache import LOSSES, LossCache
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from trainer.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and what is in production after it."""

    verdict: Verdict
    after: Entry | None

    def __repr__(self) -> str:
        return f"<Decision {self.verdict.sentence()}; {self._now()}>"

    def _repr_html_(self) -> str:
        return f"{verdict_html(self.verdict)}<p>{escape(self._now())}</p>"

    def _now(self) -> str:
        if not self.after:
            return "nothing is in production"
        promotion = self.after.promotion
        return f"in production: promotion {promotion.number} of {promotion.model}"


class Judged(NamedTuple):
    """A candidate, the verdict about it, and what the rows were asked; None if nothing."""

    candidate: PackageOrError
    verdict: Verdict
    question: Question | None


def decide_promotion(
    workspace: Workspace,
    contenders: Contenders,
    policy: GatePolicy,
    *,
    url: str = "",
    approval: Approval | None = None,
) -> Decision:
    """Judge the best contender and, if the verdict says so, promote it.

    The ledger gets the decision, and deploy_details.json is written, either way.

    Raises:
        SmokeFailed: when the service did not answer as it should; the promotion was reverted.
        Conflict, InFlight: when another promotion was faster.
    """
    promoter = workspace.promoter(url=url, notify=say)
    for sentence in promoter.repair(workspace.model):  # so that `before` is what truly serves
        say(sentence)
    before = workspace.champion()
    candidate, verdict, question = judge_candidate(
        workspace, contenders, policy, url=url, approval=approval
    )
    try:
        record_challenge(promoter, workspace.model, verdict, before, question)
        if verdict.verdict == "promote" and isinstance(candidate, ModelPackage):
            promoter.promote(candidate, verdict)
            _end_shadow(workspace, candidate)
    finally:
        after = workspace.champion()
        workspace.save_details(verdict, before, after)
    return Decision(verdict, after)


def approve_held(workspace: Workspace, *, url: str = "") -> Decision:
    """Promote what the latest verdict holds for approval, after judging it once more.

    Raises:
        PromoteError: when the latest verdict does not wait for approval, or waited too long.
    """
    held = workspace.latest_verdict()
    candidate = held.candidate
    if not held.waits_for_approval or candidate is None:
        raise PromoteError(
            f"the latest verdict is {held.verdict}: nothing waits for approval",
            hint="`tunegate gate`",
        )
    workspace = workspace_of_candidate(workspace, trial=candidate.trial)
    check_hold(workspace.challenges(), held, datetime.now(UTC))
    contenders = find_contenders(workspace, trial=candidate.trial)
    if any(isinstance(c, Contender) and c.digest != candidate.sha256 for c in contenders):
        raise PromoteError(
            "the candidate's package is not the one that was judged",
            hint="run `tunegate gate` again",
        )
    approval = given_approval(workspace) or Approval(by=workspace.settings.actor)
    return decide_promotion(workspace, contenders, held.policy, url=url, approval=approval)


def given_approval(workspace: Workspace) -> Approval | None:
    """Return the approval that the settings name, such as that of a workflow's reviewer."""
    settings = workspace.settings
    if not settings.approved_by:
        return None
    return Approval(by=settings.approved_by, reason=settings.approval_reason)


def judge_candidate(
    workspace: Workspace,
    contenders: Contenders,
    policy: GatePolicy,
    *,
    url: str = "",
    approval: Approval | None = None,
) -> Judged:
    """Choose the candidate, judge it against the champion on today's data, and keep the verdict.

    If there is a service at `url`, it is asked what it has seen of the candidate in shadow mode.

    Raises:
        UsageError: when one of the contenders is of another model than the settings name.
    """
    check_models(workspace, contenders)
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn
    from tunegate.promotion.drift import measure_drift  # noqa: PLC0415
    from tunegate.promotion.evaluation import make_evaluation  # noqa: PLC0415
    from tunegate.promotion.holdout_scores import holdout_lines  # noqa: PLC0415

    settings = workspace.settings
    dataset = load_dataset(settings.data, include=settings.include)
    candidate, finalists = choose_candidate(workspace, contenders, dataset, policy)
    _say_candidate(candidate)
    with steps("gate: both recipes on fresh folds", 2 * policy.repeats * policy.folds) as shown:
        cache = LossCache(settings.state / LOSSES)
        data = make_evaluation(dataset, cpus=settings.cpus, on_fold=shown.step, cache=cache)
        champion = current_champion(workspace, dataset.fingerprint)
        question = _ask(dataset, candidate, champion, policy)
        number = count_challenge(workspace.challenges(), question) if question else 0
        shadow = _shadow_evidence(workspace, candidate, champion, url)
        drift = measure_drift(dataset, champion) if isinstance(champion, ModelPackage) else ()
        given = GateInput(candidate, champion, data, shadow, finalists, drift, number, approval)
        verdict = judge(given, policy)
    workspace.save_verdict(verdict)
    for line in holdout_lines(data, candidate, champion):
        say(line)
    return Judged(candidate, verdict, question)


def count_look(workspace: Workspace, judged: Judged, champion: Entry | None) -> None:
    """Record a verdict that promotes nothing, if rows have decided; say so where that fails."""
    if not judged.verdict.challenge:
        return
    try:
        promoter = workspace.promoter()
        record_challenge(promoter, workspace.model, judged.verdict, champion, judged.question)
    except (LedgerError, Conflict) as error:
        say(f"note: this look at the holdout is not counted: {error}")


def _ask(
    dataset: "Dataset",
    candidate: PackageOrError,
    champion: PackageOrError | None,
    policy: GatePolicy,
) -> Question | None:
    """Return what the rows are asked, if there are two models to compare."""
    if not (isinstance(candidate, ModelPackage) and isinstance(champion, ModelPackage)):
        return None
    rows = np.concatenate([dataset.training.rounded, dataset.holdout.rounded])
    return make_question(candidate.digest, champion.digest, dataset.fingerprint, rows, policy)


def _say_candidate(candidate: PackageOrError) -> None:
    if isinstance(candidate, ModelPackage):
        manifest = candidate.manifest
        found = readable_number(manifest.cross_validation.score)
        name = manifest.provenance.trial or f"package {candidate.digest[:12]}"
        usual = scores_text(usual_scores(manifest))
        say(
            f"candidate: {name}, {manifest.metric} {found} in the search; "
            f"{usual} over its rows left out"
        )


def _shadow_evidence(
    workspace: Workspace, candidate: PackageOrError, champion: PackageOrError | None, url: str
) -> ShadowEvidence | None:
    if not (url and isinstance(candidate, ModelPackage) and isinstance(champion, ModelPackage)):
        return None
    try:
        seen = fetch_shadow_status(url, workspace.model, key=workspace.settings.key).seen
    except PromoteError as error:
        say(f"note: the verdict has no evidence of a shadow: {error}")
        return None
    if seen and (seen.champion, seen.candidate) == (champion.digest, candidate.digest):
        return seen
    return None


def _end_shadow(workspace: Workspace, promoted: ModelPackage) -> None:
    """Clear the shadow once its candidate is promoted.

    Otherwise it would reappear under the next champion.
    """
    with suppress(StoreError):  # the promotion has succeeded; a shadow left over does no harm
        shadow = workspace.store.shadow(workspace.model)
        if shadow and shadow.sha256 == promoted.digest:
            workspace.store.clear_shadow(workspace.model)
