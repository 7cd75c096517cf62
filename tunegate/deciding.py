"""Gate a candidate, and promote it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promote import Contest, GatePolicy, Ranked, Verdict, judge, rank
from promote.errors import PromoteError
from promote.shadow import shadow_status
from registry import Entry
from registry.errors import PackageError, StoreError
from registry.package import ModelPackage, load_package
from registry.package.package import MODEL
from registry.shadow import ShadowEvidence
from tunegate.console import say, steps
from tunegate.errors import UsageError
from tunegate.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, the candidate it is about, and what is in production after it."""

    verdict: Verdict
    candidate: ModelPackage | PackageError
    before: Entry | None
    after: Entry | None


def candidates(workspace: Workspace, run: Path | None = None) -> list[Ranked]:
    """Return the trials of a run, by default the newest, ranked."""
    return rank(workspace.trials(run or workspace.last_run()))


def find_candidate(
    workspace: Workspace, *, trial: str | None, package: Path | None, run: Path | None = None
) -> ModelPackage | PackageError:
    """Return the package to judge: the one named, or the best trial's of a run, by default the newest."""
    if package:
        try:
            return load_package(package)
        except PackageError as error:
            return error
    return workspace.trial_package(trial) if trial else best_challenger(workspace, candidates(workspace, run))


def best_challenger(workspace: Workspace, ranked: list[Ranked]) -> ModelPackage | PackageError:
    """Return the package of the best trial that is not the champion's own model again.

    Trial 0 repeats the champion's recipe, and often nothing beats it in the search; the best of the others is then the
    one worth judging. Where all are the champion's model, that is returned, and kept out.
    """
    champion = workspace.champion_package()
    own = champion.manifest.files[MODEL] if isinstance(champion, ModelPackage) else ""
    packages = (workspace.trial_package(trial.trial) for trial in ranked)
    others = (p for p in packages if isinstance(p, PackageError) or p.manifest.files[MODEL] != own)
    return next(others, None) or workspace.trial_package(ranked[0].trial)


def check_model(workspace: Workspace, candidate: ModelPackage | PackageError) -> None:
    """Refuse a candidate of another model than the settings name.

    Raises:
        UsageError: when it is one.
    """
    if isinstance(candidate, ModelPackage) and candidate.manifest.name != workspace.model:
        raise UsageError(
            f"the candidate is a package of {candidate.manifest.name}, not of {workspace.model}",
            hint="let `model` be the name in the data set's spec, or leave it out",
        )


def gate(workspace: Workspace, candidate: ModelPackage | PackageError, policy: GatePolicy, *, url: str = "") -> Verdict:
    """Judge a candidate against the champion, on the data as they are now; the verdict is kept.

    The service at `url`, where there is one, is asked what it has seen of the candidate in shadow mode.

    Raises:
        UsageError: when the candidate is of another model than the settings name.
    """
    check_model(workspace, candidate)
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import
    from tunegate.evaluation import evaluation  # noqa: PLC0415

    settings = workspace.settings
    with steps("gate: both recipes on fresh folds", 2 * policy.repeats * policy.folds) as shown:
        dataset = load_dataset(settings.data, include=settings.include)
        data = evaluation(dataset, cpus=settings.cpus, on_fold=shown.step)
        champion = workspace.champion_package()
        verdict = judge(Contest(candidate, champion, data, _shadow(workspace, candidate, champion, url)), policy)
    workspace.save_verdict(verdict)
    return verdict


def _shadow(
    workspace: Workspace, candidate: ModelPackage | PackageError, champion: ModelPackage | PackageError | None, url: str
) -> ShadowEvidence | None:
    if not (url and isinstance(candidate, ModelPackage) and isinstance(champion, ModelPackage)):
        return None
    try:
        seen = shadow_status(url, workspace.model, key=workspace.settings.key).seen
    except PromoteError as error:
        say(f"note: the verdict knows of no shadow: {error}")
        return None
    pair = (champion.digest, candidate.digest)
    return seen if seen and (seen.champion, seen.candidate) == pair else None


def decide(
    workspace: Workspace, candidate: ModelPackage | PackageError, policy: GatePolicy, *, url: str = ""
) -> Decision:
    """Judge a candidate and, where the verdict says so, promote it; deploy_details.json is written either way.

    Raises:
        SmokeFailed: when the service did not answer as it should; the promotion was reverted.
        Conflict, InFlight: when another promotion was faster.
    """
    promoter = workspace.promoter(url=url, notify=say)
    for sentence in promoter.repair(workspace.model):  # so that `before` is what truly serves
        say(sentence)
    before = workspace.champion()
    verdict = gate(workspace, candidate, policy, url=url)
    try:
        if verdict.verdict == "promote" and isinstance(candidate, ModelPackage):
            promoter.promote(candidate, verdict)
            _end_shadow(workspace, candidate)
    finally:
        after = workspace.champion()
        workspace.save_details(verdict, before, after)
    return Decision(verdict, candidate, before, after)


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
        raise PromoteError(f"the latest verdict is {held.verdict}: nothing waits for approval", hint="`tunegate gate`")
    candidate = workspace.trial_package(held.candidate.trial)
    if isinstance(candidate, ModelPackage) and candidate.digest != held.candidate.sha256:
        raise PromoteError("the candidate's package is not the one that was judged", hint="run `tunegate gate` again")
    return decide(workspace, candidate, held.policy.replace(approval="auto"), url=url)
