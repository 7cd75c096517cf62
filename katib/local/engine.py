"""The local engine: runs an Experiment's trials as subprocesses, as Katib would run them as Jobs.

It has two schedules. As Katib: whenever a trial ends, the sampler is asked for one more. With the
annotation `tunegate.dev/schedule: batch`: it is asked for `parallelTrialCount` points, and for the
next ones when all have run; the same seed then gives the same trials, byte for byte, on any number
of CPUs and across any interruption.

A time limit only decides when the last trial starts: the points and their order stay the same.

When the Experiment ends, running trials are finished. Queued ones are not started, unlike in Katib,
where their pods stay queued; but a batch is run whole, since its progress depends on the number of
CPUs.

It differs from Katib on purpose: trials without metrics count towards maxTrialCount also when
launching (Katib makes more trials than maxTrialCount); not-a-number never becomes the optimum; a
failed trial is replaced by another point, not the same one; a Job's retries start at once; an
exhausted space ends the Experiment instead of hanging.
"""

import asyncio
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from katib.document import Document
from katib.early_stopping import stop_rule
from katib.errors import EngineError, SpaceExhausted
from katib.experiment import Experiment, to_experiment
from katib.local.job_template import (
    PathMap,
    plan_launch,
    primary_container,
    render_job,
    requested_cpus,
)
from katib.local.journal import Journal
from katib.local.katib_status import (
    RESTARTABLE,
    TIME,
    end_reason,
    experiment_document,
    find_best,
    trial_document,
)
from katib.local.launcher import Launcher
from katib.local.pushed_reports import push_environment, reports_taken
from katib.local.run_folder import JOURNAL, META, locked, read_meta, write_objects
from katib.local.run_start import begin_run, change_counts
from katib.local.trial_runner import TrialPlan, run_trial
from katib.metrics_collector import MetricsReader
from katib.objects import JsonObject, state
from katib.search.sampler import Search, TrialRecord
from katib.trial import Trial, name_suffix, reset_trial


class Events(Protocol):
    """What the engine calls while it works, from its own thread."""

    def started(self, trial: Trial) -> None:
        """A trial's command is about to start."""

    def finished(self, trial: Trial, top: Trial | None) -> None:
        """A trial has ended; `top` is the best so far."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended.

    Attributes:
        folder: the run's folder.
        experiment: the Experiment with its status, as Katib would show it.
        trials: the Trial objects, in the order in which they were asked for.
        end: why it ended, a key of `katib_status.ENDS`.
    """

    folder: Path
    experiment: JsonObject
    trials: list[JsonObject]
    end: str

    @property
    def succeeded(self) -> bool:
        """Whether the Experiment has succeeded."""
        return state(self.experiment) == "Succeeded"


def _utc_clock() -> datetime:
    return datetime.now(UTC)


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(slots=True)
class Engine:
    """Runs one Experiment in one folder, resuming any unfinished run found there.

    Attributes:
        experiment: what to run.
        folder: the run's folder; its journal is the run's whole state.
        paths: where images and mounts are on this machine.
        first: hyperparameters of the first trial, by name; those that are not searched are ignored.
        earlier: complete trials of earlier runs, for the sampler to learn from.
        preload: modules whose `python -m <module>` may run by forking a process that has imported
            them.
        cpus: CPUs to share; a trial waits until as many as it requests are free.
        seconds: for how long trials may start, counted from when the first could; None for no
            limit. One trial starts in any case, and a trial that has started is finished.
        events: called with each start and end of a trial.
        notes: what the caller keeps with a new run, in `run.json`; the engine does not read it.
        clock: gives the time of day, with a zone.
    """

    experiment: Experiment
    folder: Path
    paths: PathMap
    first: Mapping[str, object] = field(default_factory=dict)
    earlier: Sequence[TrialRecord] = ()
    preload: Sequence[str] = ()
    cpus: int = field(default_factory=_usable_cpus)
    seconds: float | None = None
    events: Events | None = None
    notes: JsonObject = field(default_factory=dict)
    clock: Callable[[], datetime] = _utc_clock
    _journal: Journal = field(init=False)
    _meta: JsonObject = field(init=False)
    _last_start: float = field(init=False, default=math.inf)
    _any_started: bool = field(init=False, default=False)
    _db_manager: str = field(init=False, default="")

    async def run(self) -> Result:
        """Run to the end; cancelling it ends the trials and keeps those that have finished.

        Raises:
            EngineError: when the run cannot start or continue; `--resume` continues where it
                stopped.
        """
        with locked(self.folder):
            self._meta = self._begin()
            self._journal = Journal(self.folder / JOURNAL)
            async with Launcher(self.preload) as launcher:
                with reports_taken(self.experiment, self.folder / "trials") as self._db_manager:
                    end = await self._schedule(launcher)
            return self._save(end)

    async def _schedule(self, launcher: Launcher) -> str:
        if self.seconds is not None:
            self._last_start = asyncio.get_running_loop().time() + self.seconds
        slots = asyncio.Semaphore(self._slot_count())
        running = {
            self._start_trial(trial, launcher, slots)
            for trial in self._journal.ordered()
            if not trial.done
        }
        end = ""
        try:
            while True:
                end = end or end_reason(self.experiment, self._journal.ordered())
                if not end and not self._is_late():
                    end, asked = self._ask_sampler(len(running))
                    running |= {self._start_trial(trial, launcher, slots) for trial in asked}
                if not running:
                    return end or TIME
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # an error of the engine itself ends the run
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _is_late(self) -> bool:
        return self._any_started and asyncio.get_running_loop().time() >= self._last_start

    def _is_skipped(self, trial: Trial) -> bool:
        """Whether a queued trial should be skipped because the Experiment has ended.

        Trials started before an interruption are not skipped.
        """
        queued = trial.state == "Created" and not self.experiment.batch
        return queued and bool(end_reason(self.experiment, self._journal.ordered()))

    def _slot_count(self) -> int:
        """Return how many trials run at once; more than the CPUs allow would be slower."""
        wanted = requested_cpus(primary_container(self.experiment))
        return max(1, min(self.experiment.parallel, int(self.cpus / max(wanted, 0.01))))

    def _ask_sampler(self, active: int) -> tuple[str, list[Trial]]:
        """Create as many trials as may start now.

        Args:
            active: how many trials run or are queued.

        Returns:
            "space" if no point is left to try, otherwise "", and the new trials.
        """
        trials = self._journal.ordered()
        if self.experiment.batch and active:
            return "", []
        known = self._known_before(len(trials))
        count = self.experiment.parallel - active
        limit = self.experiment.spec.get("maxTrialCount")
        if limit is not None:
            count = min(count, limit - known)
        written = len(trials) - known  # of a batch that was being written when the run was killed
        if count <= written:
            return "", []
        try:
            points = self._search().ask([self._seen(trial) for trial in trials[:known]], count)
        except SpaceExhausted:
            points = []
        new_points = points[written:]
        if not new_points and not active:
            return "space", []
        trials_before = len(trials)
        return "", [
            self._create_trial(trials_before + i, point) for i, point in enumerate(new_points)
        ]

    def _known_before(self, index: int) -> int:
        """Return how many trials the sampler knows when it is asked for the trial of this index.

        That is all before it, or before its batch, so that a run that was killed while it wrote a
        batch gets the same batch again.
        """
        if self.experiment.batch:
            return index - index % self.experiment.parallel
        return index

    def _search(self) -> Search:
        experiment = self.experiment
        return Search(
            experiment.parameters,
            experiment.algorithm,
            experiment.settings,
            experiment.minimize,
            self._meta["seed"],
            self._meta["first"],
            tuple(
                TrialRecord(point, "complete", value)
                for point, value in self._meta.get("earlier", ())
            ),
        )

    def _seen(self, trial: Trial) -> TrialRecord:
        value = trial.value(self.experiment.metric, self.experiment.strategy)
        if not trial.done:
            return TrialRecord(trial.assignments, "running", value)
        if value is None:
            return TrialRecord(trial.assignments, "failed", value)
        return TrialRecord(trial.assignments, "complete", value)

    def _create_trial(self, index: int, assignments: dict[str, str]) -> Trial:
        content = json.dumps([self.experiment.digest, index, assignments], sort_keys=True)
        name = f"{self.experiment.name}-{name_suffix(content)}"
        trial = Trial(index=index, name=name, assignments=assignments, created=self._now())
        self._journal.write(trial)
        return trial

    def _start_trial(
        self, trial: Trial, launcher: Launcher, slots: asyncio.Semaphore
    ) -> "asyncio.Task[None]":
        # The stop rule is fixed now, from the trials that have finished by now, as in Katib.
        return asyncio.create_task(self._run_trial(trial, slots, self._plan(trial, launcher)))

    def _plan(self, trial: Trial, launcher: Launcher) -> TrialPlan:
        experiment = self.experiment
        folder = (self.folder / "trials" / trial.name).resolve()
        collector = experiment.spec["metricsCollectorSpec"].get("source", {})
        filters = tuple(collector.get("filter", {}).get("metricsFormat", ()))
        as_json = collector.get("fileSystemPath", {}).get("format") == "JSON"
        job = render_job(experiment, trial.assignments, trial.name)
        launch = plan_launch(experiment, job, self.paths, folder)
        if launch.pushes:
            added = push_environment(self._db_manager, experiment.namespace, launch.env)
            launch = replace(launch, env=launch.env | added)
        return TrialPlan(
            launcher=launcher,
            launch=launch,
            folder=folder,
            make_reader=lambda: MetricsReader(experiment.metrics, filters, as_json, launch.pushes),
            rule=stop_rule(experiment, self._journal.ordered()[: self._known_before(trial.index)]),
        )

    async def _run_trial(self, trial: Trial, slots: asyncio.Semaphore, plan: TrialPlan) -> None:
        async with slots:
            if self._is_late() or self._is_skipped(trial):
                return  # it stays in the journal; after a time limit it is the next to start
            self._any_started = True
            trial = replace(reset_trial(trial), state="Running", started=self._now())
            self._journal.write(trial)
            if self.events:
                self.events.started(trial)
            self._save("")
            trial = replace(await run_trial(trial, plan), finished=self._now())
            # Before the next one gets its CPU: the Experiment may have ended.
            self._journal.write(trial)
        if self.events:
            self.events.finished(trial, find_best(self.experiment, self._journal.ordered()))
        self._save("")

    def _begin(self) -> JsonObject:
        """Return what the run was first started with, which decides its trials."""
        if meta := read_meta(self.folder):
            if meta["digest"] == self.experiment.digest:
                return meta
            if not self._only_counts_differ(meta):
                hint = "start a new run: finished trials belong to the old document"
                raise EngineError(
                    f"{self.folder}: the Experiment has changed since this run began", hint=hint
                )
            return change_counts(self.folder, meta, self.experiment)
        return begin_run(
            self.folder,
            self.experiment,
            started=self._now(),
            first=self.first,
            earlier=self.earlier,
            notes=self.notes,
        )

    def _only_counts_differ(self, meta: JsonObject) -> bool:
        """Whether the counts alone were changed, which Katib allows where a run can be resumed."""
        if self.experiment.spec["resumePolicy"] not in RESTARTABLE or "experiment" not in meta:
            return False
        began = to_experiment(Document(str(self.folder / META), meta["experiment"]))
        return began.digest_without_counts == self.experiment.digest_without_counts

    def _save(self, end: str) -> Result:
        """Write the objects as Katib would show them now."""
        experiment = self.experiment
        trials = self._journal.ordered()
        started = self._meta["started"]
        ended = ""
        if end:
            ended = max((trial.finished for trial in trials), default="")
        document = experiment_document(
            experiment, trials, started=started, ended=ended or started, end=end
        )
        objects = [
            trial_document(experiment, trial, render_job(experiment, trial.assignments, trial.name))
            for trial in trials
        ]
        write_objects(self.folder, document, objects)
        return Result(self.folder, document, objects, end)

    def _now(self) -> str:
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
