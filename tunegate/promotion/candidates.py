"""Find the packages that may become the candidate, and choose one of them."""

from collections.abc import Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from katib.objects import Ranked, count_states, rank
from katib.search.families import model_parameter
from promote import GatePolicy, NoCandidate
from promote.finalists import Contender, score_finalists
from promote.verdict import Finalist, best_finalist
from registry.errors import PackageError
from registry.package import ModelPackage, load_package
from registry.package.package_files import MODEL
from tunegate.console import say, steps
from tunegate.errors import UsageError
from tunegate.promotion.loss_cache import LOSSES, LossCache
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from trainer.dataset import Dataset

PackageOrError = ModelPackage | PackageError
Contenders = Sequence[Contender | PackageError]


def find_candidate(
    workspace: Workspace, *, trial: str | None = None, package: Path | None = None
) -> PackageOrError:
    """Return the candidate that the gate would choose; raises as the steps do."""
    contenders = find_contenders(workspace, trial=trial, package=package)
    check_models(workspace, contenders)
    if not contenders[1:]:
        return _open_package(contenders[0])
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn

    settings = workspace.settings
    dataset = load_dataset(settings.data, include=settings.include)
    candidate, _ = choose_candidate(workspace, contenders, dataset, settings.gate)
    return candidate


def find_contenders(
    workspace: Workspace,
    *,
    trial: str | None = None,
    package: Path | None = None,
    run: Path | None = None,
) -> Contenders:
    """Return the contenders, best first.

    Args:
        workspace: where to look.
        trial: the only contender, by the trial's name.
        package: the only contender, by its folder.
        run: whose best trials contend if neither was named; by default the newest run.

    Raises:
        NoCandidate: when the run has no trial that could be one.
        UsageError: when there is no such trial.
    """
    if package:
        return [_to_contender(_load_package(package))]
    if trial:
        _require_trial(workspace, trial)
        return [_to_contender(workspace.trial_package(trial))]
    return distinct_best_trials(workspace, ranked_trials(workspace, run or workspace.last_run()))


def workspace_of_candidate(
    workspace: Workspace,
    *,
    trial: str | None = None,
    package: Path | None = None,
    run: Path | None = None,
) -> Workspace:
    """Return the workspace with the data that the candidate learned from, unless they were named.

    Args:
        workspace: where to look.
        trial: the candidate, by the trial's name.
        package: the candidate, by its folder.
        run: whose best trials contend.
    """
    if package:
        found = _load_package(package)
        trial = found.manifest.provenance.trial if isinstance(found, ModelPackage) else None
    if trial and not run:
        run = find_run(workspace, trial)
    return workspace.of_run(run)


def find_run(workspace: Workspace, trial: str) -> Path | None:
    """Return the folder of the run that a trial belongs to; None if it is not kept."""
    found = workspace.experiments.glob(f"*/*/trials/{escape(trial)}")
    return next((path.parent.parent for path in found), None)


def _require_trial(workspace: Workspace, trial: str) -> None:
    if workspace.store.trial(trial).exists():
        return
    if find_run(workspace, trial):
        raise UsageError(
            f"trial {trial} left no model package", hint="only a package can be judged and served"
        )
    raise UsageError(f"no trial {trial}", hint="`tunegate watch` shows the newest run's trials")


def ranked_trials(workspace: Workspace, run: Path) -> list[Ranked]:
    """Return a run's trials that may become the candidate, best first.

    Raises:
        NoCandidate: when there is none.
    """
    trials = workspace.trials(run)
    ranked = rank(trials)
    if not ranked:
        counts = ", ".join(f"{n} {state}" for state, n in count_states(trials).items())
        raise NoCandidate(
            f"no trial has succeeded with a finite objective ({counts or 'no trial'})",
            hint="look at the trials' output, or run `tunegate lint` on the Experiment",
        )
    return ranked


def distinct_best_trials(workspace: Workspace, ranked: Sequence[Ranked]) -> Contenders:
    """Return the best trials whose models differ from each other's and from the champion's.

    There are at most `gate.finalists`; of a search over families, the best trial of each of the
    best families is among them. Trial 0 repeats the champion's recipe, and often nothing
    beats it in the search; the others are then those worth judging. If all trials are the
    champion's model, the best is returned, and the gate will keep the champion. If the best trial's
    package is damaged, only its error is returned, for the gate to refuse; other damaged packages
    are skipped.

    Raises:
        NoCandidate: when none of the trials has left a package.
    """
    if not any(workspace.store.trial(trial.trial).exists() for trial in ranked):
        raise NoCandidate(
            f"no trial has left a model package in {workspace.store.root / 'trials'}",
            hint="gate and server need packages, such as `python -m trainer --output` writes",
        )
    champion = workspace.champion_package()
    known = champion.manifest.files[MODEL] if isinstance(champion, ModelPackage) else ""
    found: dict[str, Contender] = {}
    most = workspace.settings.gate.finalists
    for trial in _families_first(ranked, most - 1):
        each = _to_contender(workspace.trial_package(trial.trial))
        if isinstance(each, PackageError):
            if not found:
                return [each]
            say(f"note: skipped: {each}")
        elif each.manifest.files[MODEL] != known:
            found.setdefault(each.manifest.files[MODEL], each)
        if len(found) == most:
            break
    return list(found.values()) or [_to_contender(workspace.trial_package(ranked[0].trial))]


def _families_first(ranked: Sequence[Ranked], families: int) -> list[Ranked]:
    """Return trials with the best of each of so many families in front, otherwise in their order.

    The family with the best score is often the one that was tried most, and so the luckiest.
    """
    best: dict[str, Ranked] = {}
    for trial in ranked:
        best.setdefault(_family_of(trial), trial)
    first = list(best.values())[: max(1, families)]
    return [*first, *(trial for trial in ranked if trial not in first)]


def _family_of(trial: Ranked) -> str:
    parameter = model_parameter({name: [value] for name, value in trial.assignments.items()})
    return trial.assignments.get(parameter, "")


def require_champion(workspace: Workspace, *, hint: str) -> ModelPackage:
    """Return the champion's package.

    Raises:
        UsageError: with this hint, when nothing is in production.
        PackageError: when the package is damaged.
    """
    champion = workspace.champion_package()
    if isinstance(champion, PackageError):
        raise champion
    if champion is None:
        raise UsageError(f"nothing of {workspace.model} is in production", hint=hint)
    return champion


def current_champion(workspace: Workspace, fingerprint: str) -> PackageOrError | None:
    """Return the champion's package; of a model that is served elsewhere with evidence for today.

    Evidence of the same model and version for the data of this fingerprint, which was kept before,
    stands for the older one.
    """
    champion = workspace.champion_package()
    if not isinstance(champion, ModelPackage) or champion.outside is None:
        return champion
    if champion.manifest.fingerprint == fingerprint:
        return champion
    name = champion.manifest.algorithm.replace("_", "-")
    for folder in sorted((workspace.store.root / "trials").glob(f"{escape(name)}-*")):
        found = _load_package(folder)
        if (
            isinstance(found, ModelPackage)
            and found.outside
            and found.outside.version == champion.outside.version
            and found.manifest.algorithm == champion.manifest.algorithm
            and found.manifest.fingerprint == fingerprint
        ):
            say(f"the champion's evidence for these data: {folder.name}")
            manifest = champion.manifest.replace(fingerprint=fingerprint)
            return replace(champion, manifest=manifest, outside=found.outside)
    return champion


def check_models(workspace: Workspace, contenders: Contenders) -> None:
    """Refuse contenders of another model than the settings name.

    Raises:
        UsageError: when there is one.
    """
    for each in contenders:
        if isinstance(each, Contender) and each.manifest.name != workspace.model:
            raise UsageError(
                f"the candidate is a package of {each.manifest.name}, not of {workspace.model}",
                hint="name its data with --data, or leave --data and --model out",
            )


def choose_candidate(
    workspace: Workspace, contenders: Contenders, dataset: "Dataset", policy: GatePolicy
) -> tuple[PackageOrError, tuple[Finalist, ...]]:
    """Return the candidate, and each finalist's score on folds of their own if there were several.

    If the first contender was trained on other data than there are now, it is returned for the gate
    to refuse; others that were are skipped.
    """
    current = [
        each
        for each in contenders
        if isinstance(each, Contender) and each.manifest.fingerprint == dataset.fingerprint
    ]
    if not current[1:] or current[0] is not contenders[0]:
        return _open_package(contenders[0]), ()
    from tunegate.promotion.evaluation import make_evaluation  # noqa: PLC0415 - imports scikit-learn

    fits = len(current) * policy.repeats * policy.folds
    with steps(f"{len(current)} finalists on folds of their own", fits) as shown:
        data = make_evaluation(
            dataset,
            cpus=workspace.settings.cpus,
            on_fold=shown.step,
            cache=LossCache(workspace.settings.state / LOSSES),
        )
        finalists = score_finalists(current, data, policy)
    return _open_package(current[best_finalist(finalists)]), finalists


def _to_contender(package: PackageOrError) -> Contender | PackageError:
    if isinstance(package, ModelPackage):
        return Contender.of(package)
    return package


def _open_package(contender: Contender | PackageError) -> PackageOrError:
    if isinstance(contender, Contender):
        return _load_package(contender.path)
    return contender


def _load_package(folder: Path) -> PackageOrError:
    try:
        return load_package(folder)
    except PackageError as error:
        return error
