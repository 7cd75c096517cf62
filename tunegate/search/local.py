"""Run an Experiment on this machine."""

import asyncio
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from katib.document import Document
from katib.errors import EngineError
from katib.experiment import Experiment, to_experiment
from katib.local.engine import Engine, Result
from katib.local.job_template import Places
from katib.local.katib_status import over
from katib.local.run_folder import META, STATUS, locked, new_run, newest_run, prune, runs
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
PRELOAD = ("trainer",)


def tune(workspace: Workspace, experiment: Experiment, *, resume: bool = False) -> Result:
    """Run an Experiment to its end; the result's folder holds its status.

    Args:
        workspace: where runs and packages go.
        experiment: what to run.
        resume: go on with the newest run, which must have been interrupted, or ended because its time was over.

    Raises:
        UsageError: when there is nothing to resume.
        EngineError: when the run cannot start or go on.
    """
    if workspace.settings.warm_start and not resume:
        earlier = _earlier(workspace, experiment)
    else:
        earlier = []
    if resume:
        folder = _resumable(workspace, experiment)
    else:
        folder = new_run(workspace.experiments, experiment.name)
    _forget_old_runs(workspace, experiment)
    if resume:
        say(f"going on with {folder}")
    say(
        f"{experiment.name}: {describe_sampler(experiment.algorithm, experiment.parameters, experiment.settings)}"
    )
    total = experiment.spec.get("maxTrialCount")
    with steps(f"tuning {experiment.name}", total) as shown:
        engine = Engine(
            experiment,
            folder,
            _places(workspace, experiment),
            first=first_parameters(workspace),
            earlier=earlier,
            preload=PRELOAD,
            seconds=workspace.settings.time,
            events=_Progress(experiment, shown),
        )
        if workspace.settings.cpus:
            engine.cpus = workspace.settings.cpus
        try:
            return asyncio.run(_until_told(engine))
        except asyncio.CancelledError:  # by SIGTERM
            raise KeyboardInterrupt from None


def newest_experiment(workspace: Workspace) -> Experiment:
    """Return the Experiment that the newest run was started with, whatever has become of its file.

    Raises:
        UsageError: when there is no run, or it does not tell.
    """
    run = newest_run(workspace.experiments)
    if run is None:
        hint = "leave --resume out for a new run"
        raise UsageError(f"no run to resume below {workspace.experiments}", hint=hint)
    try:
        written = json.loads((run / META).read_bytes())["experiment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{run} does not tell its Experiment", hint="name the file too: FILE --resume"
        ) from error
    return to_experiment(Document(str(run / META), written))


def _earlier(workspace: Workspace, experiment: Experiment) -> list[TrialRecord]:
    found = earlier_trials(workspace, experiment)
    say(f"warm start: {len(found)} trials of earlier runs with this objective on these data")
    return found


def _forget_old_runs(workspace: Workspace, experiment: Experiment) -> None:
    """Delete the oldest runs and the packages of their trials; what is in production has its own copy."""
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


async def _until_told(engine: Engine) -> Result:
    """Run; SIGTERM ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - inside asyncio.run
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await engine.run()


def _resumable(workspace: Workspace, experiment: Experiment) -> Path:
    known = runs(workspace.experiments, experiment.name)
    for run in reversed(known):
        if (run / META).exists():
            if over(_status(run)):
                raise UsageError(
                    f"{run} has ended: there is nothing to resume",
                    hint="leave --resume out for a new run",
                )
            return run
    raise UsageError(
        f"no run of {experiment.name} to resume", hint="leave --resume out for a new run"
    )


def unfinished(workspace: Workspace, experiment: Experiment) -> Path | None:
    """Return the newest run when it was interrupted: begun, not ended, and nobody is at it."""
    for run in reversed(runs(workspace.experiments, experiment.name)):
        if not (run / META).exists():
            continue
        try:
            with locked(run):
                if "completionTime" in _status(run)["status"]:
                    return None
                return run
        except EngineError:  # it is being run now
            return None
    return None


def _status(run: Path) -> dict[str, Any]:
    """Return what the run last said of itself; a run that was killed at its very beginning has said nothing."""
    try:
        document = json.loads((run / STATUS).read_bytes())
        return {"status": document["status"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {"status": {}}


def _places(workspace: Workspace, experiment: Experiment) -> Places:
    settings = workspace.settings
    annotated = {name: Path(value) for name, value in _pairs(experiment, "mounts")}
    mounts = {CLAIM: settings.store_path, **annotated, **settings.mounts}
    images = {**dict(_pairs(experiment, "images")), **settings.images}
    return Places(settings.state / "volumes", images, mounts)


def _pairs(experiment: Experiment, annotation: str) -> list[tuple[str, str]]:
    """Read an annotation of the form `name=value,name=value`."""
    text = experiment.annotation(annotation) or ""
    parts = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if bad := [name for name, equals, value in parts if not (name and equals and value)]:
        hint = "write name=value, separated by commas"
        raise UsageError(
            f"annotation tunegate.dev/{annotation}: {bad[0]!r} has no value", hint=hint
        )
    return [(name.strip(), value.strip()) for name, _, value in parts]


class _Progress:
    """Shows each trial's end, and why one has failed."""

    def __init__(self, experiment: Experiment, shown: Steps) -> None:
        self.experiment = experiment
        self.shown = shown

    def started(self, trial: Trial) -> None:
        """Nothing to show."""

    def finished(self, trial: Trial, top: Trial | None) -> None:
        """Count the trial."""
        experiment = self.experiment
        mine, best = (t and t.value(experiment.metric, experiment.strategy) for t in (trial, top))
        if best is not None:
            best_text = f"best {experiment.metric} {best:.4g}"
        else:
            best_text = "no result yet"
        if mine is not None:
            text = f"{mine:.4g}"
        else:
            text = f"{trial.state}: {trial.message}"
        text += ", stopped early" if trial.state == "EarlyStopped" else ""
        self.shown.step(
            best_text, line=f"trial {trial.index + 1} {trial.name}: {text} ({best_text})"
        )
        if mine is None:
            say(f"{trial.name}: {trial.state}: {trial.message}")
            for line in trial.tail[-5:]:
                say(f"    {line}")
