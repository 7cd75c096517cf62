"""Gate a candidate, and promote it."""

from contextlib import suppress
from dataclasses import dataclass

from promote import GatePolicy
from promote.errors import PromoteError
from promote.finalists import Contender
from promote.gate import judge
from promote.gate_input import Contest
from promote.shadow_client import shadow_status
from promote.verdict import Verdict
from registry import Entry
from registry.errors import StoreError
from registry.package import ModelPackage
from registry.shadow import ShadowEvidence
from tunegate.console import say, steps
from tunegate.promotion.candidates import Contenders, Found, check_models, choose, contenders
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and what is in production after it."""

    verdict: Verdict
    after: Entry | None


def gate(
    workspace: Workspace, found: Contenders, policy: GatePolicy, *, url: str = ""
) -> tuple[Found, Verdict]:
    """Choose the candidate and judge it against the champion, on the data as they are now; the verdict is kept.

    The service at `url`, where there is one, is asked what it has seen of the candidate in shadow mode.

    Raises:
        UsageError: when one of the contenders is of another model than the settings name.
    """
    check_models(workspace, found)
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import
    from tunegate.promotion.evaluation import evaluation  # noqa: PLC0415

    settings = workspace.settings
    dataset = load_dataset(settings.data, include=settings.include)
    candidate, finalists = choose(workspace, found, dataset, policy)
    _name(candidate)
    with steps("gate: both recipes on fresh folds", 2 * policy.repeats * policy.folds) as shown:
        data = evaluation(dataset, cpus=settings.cpus, on_fold=shown.step)
        champion = workspace.champion_package()
        shadow = _shadow(workspace, candidate, champion, url)
        verdict = judge(Contest(candidate, champion, data, shadow, finalists), policy)
    workspace.save_verdict(verdict)
    return candidate, verdict


def _name(candidate: Found) -> None:
    if isinstance(candidate, ModelPackage):
        manifest = candidate.manifest
        score = f"{manifest.metric} {manifest.cross_validation.score:.4g} in the search"
        say(f"candidate: {manifest.provenance.trial}, {score}")


def _shadow(
    workspace: Workspace, candidate: Found, champion: Found | None, url: str
) -> ShadowEvidence | None:
    if not (url and isinstance(candidate, ModelPackage) and isinstance(champion, ModelPackage)):
        return None
    try:
        seen = shadow_status(url, workspace.model, key=workspace.settings.key).seen
    except PromoteError as error:
        say(f"note: the verdict knows of no shadow: {error}")
        return None
    pair = (champion.digest, candidate.digest)
    if seen and (seen.champion, seen.candidate) == pair:
        return seen
    return None


def decide(
    workspace: Workspace, found: Contenders, policy: GatePolicy, *, url: str = ""
) -> Decision:
    """Judge one of these and, where the verdict says so, promote it; deploy_details.json is written either way.

    Raises:
        SmokeFailed: when the service did not answer as it should; the promotion was reverted.
        Conflict, InFlight: when another promotion was faster.
    """
    promoter = workspace.promoter(url=url, notify=say)
    for sentence in promoter.repair(workspace.model):  # so that `before` is what truly serves
        say(sentence)
    before = workspace.champion()
    candidate, verdict = gate(workspace, found, policy, url=url)
    try:
        if verdict.verdict == "promote" and isinstance(candidate, ModelPackage):
            promoter.promote(candidate, verdict)
            _end_shadow(workspace, candidate)
    finally:
        after = workspace.champion()
        workspace.save_details(verdict, before, after)
    return Decision(verdict, after)


def _end_shadow(workspace: Workspace, promoted: ModelPackage) -> None:
    """Else it would come back when the next champion serves."""
    with suppress(StoreError):  # it is in production: what is left beside it does no harm
        shadow = workspace.store.shadow(workspace.model)
        if shadow and shadow.sha256 == promoted.digest:
            workspace.store.clear_shadow(workspace.model)


def approve(workspace: Workspace, *, url: str = "") -> Decision:
    """Promote what the latest verdict holds for approval; it is judged once more, for the world may have changed.

    Raises:
        PromoteError: when the latest verdict does not wait for approval.
    """
    held = workspace.latest_verdict()
    waiting = [check.name for check in held.checks if not check.passed] == ["approval"]
    if held.verdict != "hold" or not waiting or held.candidate is None:
        raise PromoteError(
            f"the latest verdict is {held.verdict}: nothing waits for approval",
            hint="`tunegate gate`",
        )
    found = contenders(workspace, trial=held.candidate.trial)
    if any(isinstance(each, Contender) and each.digest != held.candidate.sha256 for each in found):
        raise PromoteError(
            "the candidate's package is not the one that was judged",
            hint="run `tunegate gate` again",
        )
    return decide(workspace, found, held.policy.replace(approval="auto"), url=url)
