"""Run an Experiment on this machine."""

import asyncio
import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from katib.document import Document
from katib.experiment import Experiment, to_experiment
from katib.local.engine import Engine, Result
from katib.local.katib_status import RESTARTABLE, ended_for_good, experiment_document
from katib.local.run_folder import (
    META,
    new_run,
    newest_run,
    prune,
    read_meta,
    read_run,
    runs,
    write_objects,
)
from katib.local.run_start import begin_run
from katib.search.algorithms import describe_sampler
from katib.search.families import MODEL
from katib.space import TrialRecord
from katib.trial import Trial
from registry.metric_names import readable_number
from registry.package import ModelPackage
from trainer.hyperparameters import parse_hyperparameters
from trainer.learners import LEARNERS
from tunegate.console import Steps, console, say, steps
from tunegate.errors import UsageError
from tunegate.run_data import NOTE, RunData
from tunegate.search.direction import direction_warning
from tunegate.search.event_loop import run_coroutine
from tunegate.search.warm_start import earlier_trials
from tunegate.trial_program import path_map, read_program
from tunegate.workspace import Workspace

NEW_RUN = "leave --resume out for a new run"
PRELOAD = ("trainer",)


def tune_locally(
    workspace: Workspace,
    experiment: Experiment,
    *,
    resume: bool = False,
    data: RunData | None = None,
) -> Result:
    """Run an Experiment to its end; the result's folder holds its status.

    Args:
        workspace: where runs and packages go.
        experiment: what to run.
        resume: resume the newest run, which must have been interrupted, have reached its time
            limit, or, with another resumePolicy than Never, get a higher maxTrialCount.
        data: what a new run keeps about its data.

    Raises:
        UsageError: when there is nothing to resume.
        EngineError: when the run cannot start or continue.
    """
    earlier: list[TrialRecord] = []
    if resume:
        folder = resumable_run(workspace, experiment)
        say(f"resuming {folder}")
    else:
        if workspace.settings.warm_start:
            earlier = _warm_start_trials(workspace, experiment)
        folder = new_run(workspace.experiments, experiment.name)
        _forget_old_runs(workspace, experiment)
    algorithm = describe_sampler(experiment.algorithm, experiment.parameters, experiment.settings)
    say(f"{experiment.name}: {algorithm}")
    if warning := direction_warning(experiment):
        say(warning)
    total = experiment.spec.get("maxTrialCount")
    with steps(f"tuning {experiment.name}", total) as shown:
        engine = Engine(
            experiment,
            folder,
            path_map(workspace.settings, experiment),
            first=first_parameters(workspace, experiment),
            earlier=earlier,
            preload=PRELOAD,
            seconds=workspace.settings.time,
            events=_TrialEvents(experiment, shown),
            notes={NOTE: data.to_notes()} if data else {},
        )
        if workspace.settings.cpus:
            engine.cpus = workspace.settings.cpus
        try:
            return run_coroutine(lambda: _run_until_sigterm(engine))
        except asyncio.CancelledError:  # by SIGTERM
            raise KeyboardInterrupt from None


def prepare_run(workspace: Workspace, experiment: Experiment, data: RunData) -> Path:
    """Make the folder of a new run that another process will resume.

    The Experiment's status is written too, so that the run is seen before its first trial.

    Args:
        workspace: where runs and packages go.
        experiment: what is to be run.
        data: what the run keeps about its data.

    Returns:
        The folder.

    Raises:
        EngineError: when it cannot be written.
    """
    earlier: list[TrialRecord] = []
    if workspace.settings.warm_start:
        earlier = _warm_start_trials(workspace, experiment)
    folder = new_run(workspace.experiments, experiment.name)
    _forget_old_runs(workspace, experiment)
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    first = first_parameters(workspace, experiment)
    notes = {NOTE: data.to_notes()}
    begin_run(folder, experiment, started=started, first=first, earlier=earlier, notes=notes)
    write_objects(folder, experiment_document(experiment, [], started=started), [])
    return folder


def newest_experiment(workspace: Workspace) -> Experiment:
    """Return the Experiment that the newest run was started with, whatever its file says now.

    Raises:
        UsageError: when there is no run, or it does not hold its Experiment.
    """
    run = newest_run(workspace.experiments)
    if run is None:
        raise UsageError(f"no run to resume below {workspace.experiments}", hint=NEW_RUN)
    return begun_experiment(run)


def begun_experiment(run: Path) -> Experiment:
    """Return the Experiment that a run was started with, whatever its file says now.

    Raises:
        UsageError: when the run did not begin on this machine, or does not hold its Experiment.
    """
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


def first_parameters(workspace: Workspace, experiment: Experiment) -> dict[str, object]:
    """Return the champion's hyperparameters, or the library's defaults, for trial 0.

    A champion of another learner than the Experiment's has no parameters for it. Each is there
    under both names that the trainer knows, and the learner as `model`.
    """
    package = workspace.champion_package()
    learner = read_program(experiment, workspace.settings).model
    if (
        isinstance(package, ModelPackage)
        and package.outside is None
        and learner in {"", package.manifest.algorithm}
    ):
        learner = package.manifest.algorithm
        parameters: dict[str, object] = dict(package.manifest.parameters)
    else:
        learner = learner or next(iter(LEARNERS))
        task = workspace.spec.task
        parameters = parse_hyperparameters(learner, {}).for_task(task).model_dump()
    of_learner = {f"{learner}_{name}": value for name, value in parameters.items()}
    return {**parameters, **of_learner, MODEL: learner}


async def _run_until_sigterm(engine: Engine) -> Result:
    """Run the engine; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - inside asyncio.run
    if threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await engine.run()


def resumable_run(workspace: Workspace, experiment: Experiment) -> Path:
    """Return the newest run of an Experiment, for `tune_locally` to resume.

    Raises:
        UsageError: when there is none, or it has ended for good, or did not run here.
    """
    folder = newest_run(workspace.experiments, experiment.name)
    if folder is None:
        raise UsageError(f"no run of {experiment.name} to resume", hint=NEW_RUN)
    run = read_run(folder)
    if not run.ran_here:
        raise _kept_from_elsewhere(folder)
    if ended_for_good(run.experiment, experiment):
        hint = NEW_RUN
        if experiment.spec["resumePolicy"] in RESTARTABLE:
            hint = f"raise maxTrialCount, or {NEW_RUN}"
        raise UsageError(f"{folder} has ended: there is nothing to resume", hint=hint)
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
        best = top.value(experiment.metric, experiment.strategy) if top else None
        if best is not None:
            best_text = f"best {experiment.metric} {readable_number(best)}"
        value = trial.value(experiment.metric, experiment.strategy)
        if value is None:
            text = f"{trial.state}: {trial.message}"
        else:
            text = readable_number(value)
        if trial.state == "EarlyStopped":
            text += ", stopped early"
        line = f"trial {trial.index + 1} {trial.name}: {text} ({best_text}){_duration(trial)}"
        self.shown.step(best_text, line=line)
        if value is None:
            if console.is_terminal:  # where the line above is not printed
                say(line)
            for output in trial.tail[-5:]:
                say(f"    {output}")


def _duration(trial: Trial) -> str:
    """Return how long a trial ran, to end a line with; empty if it never started."""
    if not trial.started:
        return ""
    began = datetime.fromisoformat(trial.started)
    return f", {(datetime.fromisoformat(trial.finished) - began).total_seconds():.0f} s"
