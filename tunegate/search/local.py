"""Run an Experiment on this machine."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

from katib.document import Document
from katib.experiment import Experiment, to_experiment
from katib.local.engine import Engine, Result
from katib.local.job_template import PathMap
from katib.local.katib_status import ended_for_good
from katib.local.run_folder import META, new_run, newest_run, prune, read_meta, read_run, runs
from katib.search.algorithms import describe_sampler
from katib.space import TrialRecord
from katib.trial import Trial
from registry.package import ModelPackage
from trainer.hyperparameters import LEARNERS, parse_hyperparameters
from tunegate.console import Steps, say, steps
from tunegate.errors import UsageError
from tunegate.search.warm_start import earlier_trials
from tunegate.workspace import Workspace

CLAIM = "tunegate-models"
NEW_RUN = "leave --resume out for a new run"
PRELOAD = ("trainer",)


def tune_locally(workspace: Workspace, experiment: Experiment, *, resume: bool = False) -> Result:
    """Run an Experiment to its end; the result's folder holds its status.

    Args:
        workspace: where runs and packages go.
        experiment: what to run.
        resume: resume the newest run, which must have been interrupted, or have reached its time
            limit.

    Raises:
        UsageError: when there is nothing to resume.
        EngineError: when the run cannot start or continue.
    """
    earlier: list[TrialRecord] = []
    if resume:
        folder = _resumable_run(workspace, experiment)
        say(f"resuming {folder}")
    else:
        if workspace.settings.warm_start:
            earlier = _warm_start_trials(workspace, experiment)
        folder = new_run(workspace.experiments, experiment.name)
        _forget_old_runs(workspace, experiment)
    algorithm = describe_sampler(experiment.algorithm, experiment.parameters, experiment.settings)
    say(f"{experiment.name}: {algorithm}")
    total = experiment.spec.get("maxTrialCount")
    with steps(f"tuning {experiment.name}", total) as shown:
        engine = Engine(
            experiment,
            folder,
            _path_map(workspace, experiment),
            first=first_parameters(workspace),
            earlier=earlier,
            preload=PRELOAD,
            seconds=workspace.settings.time,
            events=_TrialEvents(experiment, shown),
        )
        if workspace.settings.cpus:
            engine.cpus = workspace.settings.cpus
        try:
            return asyncio.run(_run_until_sigterm(engine))
        except asyncio.CancelledError:  # by SIGTERM
            raise KeyboardInterrupt from None


def newest_experiment(workspace: Workspace) -> Experiment:
    """Return the Experiment that the newest run was started with, whatever its file says now.

    Raises:
        UsageError: when there is no run, or it does not hold its Experiment.
    """
    run = newest_run(workspace.experiments)
    if run is None:
        raise UsageError(f"no run to resume below {workspace.experiments}", hint=NEW_RUN)
    try:
        meta = read_meta(run)
        if meta is None:
            raise _kept_from_elsewhere(run)
        written = meta["experiment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{run} does not tell its Experiment", hint="name the file too: FILE --resume"
        ) from error
    return to_experiment(Document(str(run / META), written))


def _warm_start_trials(workspace: Workspace, experiment: Experiment) -> list[TrialRecord]:
    found = earlier_trials(workspace, experiment)
    say(f"warm start: {len(found)} trials of earlier runs with this objective on these data")
    return found


def _forget_old_runs(workspace: Workspace, experiment: Experiment) -> None:
    """Delete the oldest runs and their trials' packages; models in production are copies."""
    known = runs(workspace.experiments, experiment.name)
    keep = workspace.settings.keep_runs
    gone = _trial_names(known[:-keep]) - _trial_names(known[-keep:])
    prune(workspace.experiments, experiment.name, keep=keep)
    if gone:
        workspace.store.prune_trials(keep=_trial_names([workspace.store.root]) - gone)


def _trial_names(folders: Sequence[Path]) -> set[str]:
    return {
        path.name
        for folder in folders
        if (folder / "trials").is_dir()
        for path in (folder / "trials").iterdir()
    }


def first_parameters(workspace: Workspace) -> dict[str, object]:
    """Return the champion's hyperparameters, or the library's defaults, for trial 0."""
    package = workspace.champion_package()
    if isinstance(package, ModelPackage):
        return dict(package.manifest.parameters)
    learner = next(iter(LEARNERS))
    return dict(parse_hyperparameters(learner, {}).for_task(workspace.spec.task).model_dump())


async def _run_until_sigterm(engine: Engine) -> Result:
    """Run the engine; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - inside asyncio.run
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await engine.run()


def _resumable_run(workspace: Workspace, experiment: Experiment) -> Path:
    folder = newest_run(workspace.experiments, experiment.name)
    if folder is None:
        raise UsageError(f"no run of {experiment.name} to resume", hint=NEW_RUN)
    run = read_run(folder)
    if not run.ran_here:
        raise _kept_from_elsewhere(folder)
    if ended_for_good(run.experiment):
        raise UsageError(f"{folder} has ended: there is nothing to resume", hint=NEW_RUN)
    return folder


def _kept_from_elsewhere(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} did not run on this machine: there is nothing to resume", hint=NEW_RUN
    )


def interrupted_run(workspace: Workspace, experiment: Experiment) -> Path | None:
    """Return the newest run if it was interrupted, so that it could be resumed; otherwise None."""
    folder = newest_run(workspace.experiments, experiment.name)
    if folder and read_run(folder).interrupted:
        return folder
    return None


def _path_map(workspace: Workspace, experiment: Experiment) -> PathMap:
    settings = workspace.settings
    annotated = {name: Path(value) for name, value in _annotation_pairs(experiment, "mounts")}
    mounts = {CLAIM: settings.store_path, **annotated, **settings.mounts}
    images = {**dict(_annotation_pairs(experiment, "images")), **settings.images}
    return PathMap(settings.state / "volumes", images, mounts)


def _annotation_pairs(experiment: Experiment, annotation: str) -> list[tuple[str, str]]:
    """Read an annotation of the form `name=value,name=value`."""
    text = experiment.annotation(annotation) or ""
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if bad := [name for name, equals, value in parts if not (name and equals and value)]:
        hint = "write name=value, separated by commas"
        raise UsageError(
            f"annotation tunegate.dev/{annotation}: {bad[0]!r} has no value", hint=hint
        )
    return [(name.strip(), value.strip()) for name, _, value in parts]


class _TrialEvents:
    """Shows each trial's end, and why one has failed."""

    def __init__(self, experiment: Experiment, shown: Steps) -> None:
        self.experiment = experiment
        self.shown = shown

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def finished(self, trial: Trial, top: Trial | None) -> None:
        """Count the trial."""
        experiment = self.experiment
        best_text = "no result yet"
        if top:
            best = top.value(experiment.metric, experiment.strategy)
            best_text = f"best {experiment.metric} {best:.4g}"
        value = trial.value(experiment.metric, experiment.strategy)
        if value is None:
            text = f"{trial.state}: {trial.message}"
        else:
            text = f"{value:.4g}"
        if trial.state == "EarlyStopped":
            text += ", stopped early"
        self.shown.step(
            best_text, line=f"trial {trial.index + 1} {trial.name}: {text} ({best_text})"
        )
        if value is None:
            say(f"{trial.name}: {trial.state}: {trial.message}")
            for line in trial.tail[-5:]:
                say(f"    {line}")
