"""Who may become the candidate, and which of them does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from katib.objects import Ranked, count_states, rank
from promote import GatePolicy, NoCandidate
from promote.finalists import Contender, score_finalists
from promote.verdict import Finalist, best_finalist
from registry.errors import PackageError
from registry.package import ModelPackage, load_package
from registry.package.model_package import MODEL
from tunegate.console import say, steps
from tunegate.errors import UsageError
from tunegate.workspace import Workspace

if TYPE_CHECKING:
    from trainer.dataset import Dataset

Found = ModelPackage | PackageError
Contenders = Sequence[Contender | PackageError]


def contenders(
    workspace: Workspace,
    *,
    trial: str | None = None,
    package: Path | None = None,
    run: Path | None = None,
) -> Contenders:
    """Return the package that was named, or else the best trials' of a run, by default the newest; best first.

    Raises:
        NoCandidate: when the run has no trial that could be one.
    """
    if package:
        return [_contender(_loaded(package))]
    if trial:
        return [_contender(workspace.trial_package(trial))]
    return challengers(workspace, ranked_trials(workspace, run or workspace.last_run()))


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


def challengers(workspace: Workspace, ranked: Sequence[Ranked]) -> Contenders:
    """Return the best trials, as many as there are to be finalists, without the champion's own model again.

    Trial 0 repeats the champion's recipe, and often nothing beats it in the search; the others are then those worth
    judging. Where all are the champion's model, that is returned, and kept out. Where the best's package is damaged,
    that is all that is returned, to be refused; other damaged ones are passed over.
    """
    champion = workspace.champion_package()
    if isinstance(champion, ModelPackage):
        own = champion.manifest.files[MODEL]
    else:
        own = ""
    found: dict[str, Contender] = {}
    for each in (_contender(workspace.trial_package(trial.trial)) for trial in ranked):
        if isinstance(each, PackageError):
            if not found:
                return [each]
            say(f"note: passed over: {each}")
        elif each.manifest.files[MODEL] != own:
            found.setdefault(each.manifest.files[MODEL], each)
        if len(found) == workspace.settings.gate.finalists:
            break
    return list(found.values()) or [_contender(workspace.trial_package(ranked[0].trial))]


def _contender(found: Found) -> Contender | PackageError:
    if isinstance(found, ModelPackage):
        return Contender.of(found)
    return found


def _opened(each: Contender | PackageError) -> Found:
    if isinstance(each, Contender):
        return _loaded(each.path)
    return each


def _loaded(folder: Path) -> Found:
    try:
        return load_package(folder)
    except PackageError as error:
        return error


def check_models(workspace: Workspace, found: Contenders) -> None:
    """Refuse contenders of another model than the settings name.

    Raises:
        UsageError: when there is one.
    """
    for each in found:
        if isinstance(each, Contender) and each.manifest.name != workspace.model:
            raise UsageError(
                f"the candidate is a package of {each.manifest.name}, not of {workspace.model}",
                hint="let `model` be the name in the data set's spec, or leave it out",
            )


def choose(
    workspace: Workspace, found: Contenders, dataset: "Dataset", policy: GatePolicy
) -> tuple[Found, tuple[Finalist, ...]]:
    """Return the candidate and, where there were several to choose from, how each did on folds of their own.

    Where the first was made from other data than there are now, it is returned for the gate to refuse; others that
    were are passed over.
    """
    today = dataset.fingerprint
    current = [
        each for each in found if isinstance(each, Contender) and each.manifest.fingerprint == today
    ]
    if not current[1:] or current[0] is not found[0]:
        return _opened(found[0]), ()
    from tunegate.promotion.evaluation import evaluation  # noqa: PLC0415 - scikit-learn takes seconds to import

    fits = len(current) * policy.repeats * policy.folds
    with steps(f"{len(current)} finalists on folds of their own", fits) as shown:
        data = evaluation(dataset, cpus=workspace.settings.cpus, on_fold=shown.step)
        finalists = score_finalists(current, data, policy)
    return _opened(current[best_finalist(finalists)]), finalists


def find_candidate(
    workspace: Workspace, *, trial: str | None = None, package: Path | None = None
) -> Found:
    """Return the candidate that the gate would choose; raises as `contenders` and `check_models` do."""
    found = contenders(workspace, trial=trial, package=package)
    check_models(workspace, found)
    if not found[1:]:
        return _opened(found[0])
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import

    settings = workspace.settings
    return choose(
        workspace, found, load_dataset(settings.data, include=settings.include), settings.gate
    )[0]
