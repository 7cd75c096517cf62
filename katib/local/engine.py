"""The local engine: runs an Experiment's trials as subprocesses, as Katib would run them as Jobs.

Two schedules. As Katib: whenever a trial ends, one more is asked for. With the annotation
`tunegate.dev/schedule: batch`: `parallelTrialCount` points are asked for, all are run, then the next; the same seed
then gives the same trials, byte for byte, on any number of CPUs and across any interruption.

A limit on the time only says when the last trial starts: what is asked for, and in which order, stays the same.

When the Experiment ends, what runs is finished. What still waits for a CPU is not started, unlike in Katib, where
its pod would wait on; but a batch is run whole, for how far it has got is a question of the CPUs.

Where it differs from Katib on purpose: trials without metrics count towards maxTrialCount also when launching (Katib
makes more trials than asked for); not-a-number never becomes the optimum; a failed trial is replaced by another point,
not the same one; a Job's retries start at once; an exhausted space ends the Experiment instead of hanging.
"""

import asyncio
import json
import math
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from katib.early_stopping import stop_rule
from katib.errors import EngineError, SpaceExhausted
from katib.experiment import Experiment
from katib.local.job_template import Places, launch, primary_container, render, requested_cpus
from katib.local.katib_status import TIME, ending, experiment_document, trial_document
from katib.local.launcher import Launcher
from katib.local.run_folder import JOURNAL, META, STATUS, TRIALS, locked
from katib.local.trial_runner import Course, run_trial
from katib.metrics_collector import MetricsReader
from katib.search.sampler import Search, TrialRecord
from katib.trial import Journal, Trial, best, letters, reset


class Events(Protocol):
    """What the engine tells while it works; all calls come from its own thread."""

    def started(self, trial: Trial) -> None:
        """A trial's command starts."""

    def finished(self, trial: Trial, top: Trial | None) -> None:
        """A trial has ended; `top` is the best so far."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended: the objects as Katib would show them, and the folder they lie in."""

    folder: Path
    experiment: dict[str, Any]
    trials: list[dict[str, Any]]
    end: str

    @property
    def succeeded(self) -> bool:
        """Whether the Experiment's last condition is Succeeded."""
        return bool(self.experiment["status"]["conditions"][-1]["type"] == "Succeeded")


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Engine:
    """One run of one Experiment in one folder; a folder with an unfinished run is gone on with.

    Attributes:
        experiment: what to run.
        folder: the run's folder; its journal is the run's whole state.
        places: where images and mounts lie on this machine.
        first: hyperparameters of the first trial, by name; those that are not searched are passed over.
        earlier: complete trials of earlier runs, for the sampler to learn from.
        preload: modules whose `python -m <module>` may run by forking a process that has imported them.
        cpus: CPUs to share out; trials wait while theirs are not free.
        seconds: how long trials may start, counted from when the first could; None for as long as it takes. One trial
            starts in any case, and what has started is finished.
        events: told about progress.
        clock: gives the time of day, with a zone.
    """

    experiment: Experiment
    folder: Path
    places: Places
    first: Mapping[str, object] = field(default_factory=dict)
    earlier: Sequence[TrialRecord] = ()
    preload: Sequence[str] = ()
    cpus: int = field(
        default_factory=lambda: (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    )
    seconds: float | None = None
    events: Events | None = None
    clock: Callable[[], datetime] = _utc
    _journal: Journal = field(init=False)
    _meta: dict[str, Any] = field(init=False)
    _last_start: float = field(init=False, default=math.inf)
    _any_started: bool = field(init=False, default=False)

    async def run(self) -> Result:
        """Run to the end; cancelling it ends the trials and keeps what has finished.

        Raises:
            EngineError: when the run cannot start or go on; `--resume` goes on where it stopped.
        """
        with locked(self.folder):
            self._meta = self._begin()
            self._journal = Journal(self.folder / JOURNAL)
            async with Launcher(self.preload) as launcher:
                end = await self._schedule(launcher)
            return self._save(end)

    async def _schedule(self, launcher: Launcher) -> str:
        self._last_start = asyncio.get_running_loop().time() + (
            math.inf if self.seconds is None else self.seconds
        )
        slots = asyncio.Semaphore(self._slots())
        running = {self._start(trial, launcher, slots) for trial in self._unfinished()}
        end = ""
        try:
            while True:
                end = end or ending(self.experiment, self._journal.ordered())
                if not end and not self._late():
                    end, asked = self._ask(len(running))
                    running |= {self._start(trial, launcher, slots) for trial in asked}
                if not running:
                    return end or TIME
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # an error of the engine itself ends the run
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _late(self) -> bool:
        return self._any_started and asyncio.get_running_loop().time() >= self._last_start

    def _over_for(self, trial: Trial) -> bool:
        """Whether a trial that waits is not to start any more; one that a broken-off run had started is."""
        waits = trial.state == "Created" and not self.experiment.batch
        return waits and bool(ending(self.experiment, self._journal.ordered()))

    def _slots(self) -> int:
        """As many trials at once as there are CPUs for; more would only slow each other down."""
        wanted = requested_cpus(primary_container(self.experiment))
        return max(1, min(self.experiment.parallel, int(self.cpus / max(wanted, 0.01))))

    def _ask(self, active: int) -> tuple[str, list[Trial]]:
        """Ask for as many trials as may start now; returns ("space", []) when no point is left."""
        trials = self._journal.ordered()
        if self.experiment.batch and active:
            return "", []
        known = self._known(len(trials))
        limit = self.experiment.spec.get("maxTrialCount")
        room = self.experiment.parallel - active
        count = room if limit is None else min(room, limit - known)
        there = len(trials) - known
        if count <= there:
            return "", []
        try:
            points = self._search().ask([self._seen(trial) for trial in trials[:known]], count)[
                there:
            ]
        except SpaceExhausted:
            points = []
        if not points and not active:
            return "space", []
        return "", [self._create(len(trials) + i, point) for i, point in enumerate(points)]

    def _known(self, index: int) -> int:
        """How many trials decide about the trial of this index: all before it, or all before its batch.

        A run that was killed while it wrote down a batch thus asks for the same batch again.
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
            state = "running"
        else:
            state = "failed" if value is None else "complete"
        return TrialRecord(trial.assignments, state, value)  # type: ignore[arg-type] # one of the three

    def _create(self, index: int, assignments: dict[str, str]) -> Trial:
        content = json.dumps([self.experiment.digest, index, assignments], sort_keys=True)
        name = f"{self.experiment.name}-{letters(content)}"
        trial = Trial(index=index, name=name, assignments=assignments, created=self._now())
        self._journal.write(trial)
        return trial

    def _unfinished(self) -> list[Trial]:
        return [trial for trial in self._journal.ordered() if not trial.done]

    def _start(
        self, trial: Trial, launcher: Launcher, slots: asyncio.Semaphore
    ) -> "asyncio.Task[None]":
        # The rule is Katib's: fixed when the trial is created, from what has finished by then.
        return asyncio.create_task(self._run(trial, slots, self._course(trial, launcher)))

    def _course(self, trial: Trial, launcher: Launcher) -> Course:
        experiment = self.experiment
        folder = (self.folder / "trials" / trial.name).resolve()
        collector = experiment.spec["metricsCollectorSpec"].get("source", {})
        filters = tuple(collector.get("filter", {}).get("metricsFormat", ()))
        as_json = collector.get("fileSystemPath", {}).get("format") == "JSON"
        return Course(
            launcher=launcher,
            launch=launch(
                experiment, render(experiment, trial.assignments, trial.name), self.places, folder
            ),
            folder=folder,
            make_reader=lambda: MetricsReader(experiment.metrics, filters, as_json),
            rule=stop_rule(experiment, self._journal.ordered()[: self._known(trial.index)]),
        )

    async def _run(self, trial: Trial, slots: asyncio.Semaphore, course: Course) -> None:
        async with slots:
            if self._late() or self._over_for(trial):
                return  # it stays in the journal; after a limit on the time it is the next to start
            self._any_started = True
            trial = replace(reset(trial), state="Running", started=self._now())
            self._journal.write(trial)
            if self.events:
                self.events.started(trial)
            self._save("")
            trial = replace(await run_trial(trial, course), finished=self._now())
            self._journal.write(
                trial
            )  # before the next one gets its CPU: the Experiment may have ended
        if self.events:
            self.events.finished(trial, self._best())
        self._save("")

    def _best(self) -> Trial | None:
        experiment = self.experiment
        trials = self._journal.ordered()
        return best(
            trials,
            metric=experiment.metric,
            strategy=experiment.strategy,
            minimize=experiment.minimize,
        )

    def _begin(self) -> dict[str, Any]:
        """Read what the run was started with, or write it down: it decides what is asked for, so it never changes."""
        path = self.folder / META
        if path.exists():
            meta: dict[str, Any] = json.loads(path.read_bytes())
            if meta["digest"] != self.experiment.digest:
                hint = "start a new run: finished trials belong to the old document"
                raise EngineError(
                    f"{self.folder}: the Experiment has changed since this run began", hint=hint
                )
            return meta
        if self.experiment.seed is not None:
            seed = self.experiment.seed
        else:
            seed = secrets.randbelow(2**31)
        earlier = [(dict(trial.assignments), trial.value) for trial in self.earlier]
        begun = {
            "seed": seed,
            "first": dict(self.first),
            "earlier": earlier,
            "started": self._now(),
        }
        meta = {"digest": self.experiment.digest, **begun, "experiment": self.experiment.written}
        _replace(path, meta)
        return meta

    def _save(self, end: str) -> Result:
        """Write the objects as Katib would show them now."""
        trials = self._journal.ordered()
        if end:
            ended = max((trial.finished for trial in trials), default="")
        else:
            ended = ""
        document = experiment_document(
            self.experiment,
            trials,
            started=self._meta["started"],
            ended=ended or self._meta["started"],
            end=end,
        )
        objects = [
            trial_document(self.experiment, t, render(self.experiment, t.assignments, t.name))
            for t in trials
        ]
        _replace(self.folder / STATUS, document)
        _replace(
            self.folder / TRIALS,
            {"apiVersion": "kubeflow.org/v1beta1", "kind": "TrialList", "items": objects},
        )
        return Result(self.folder, document, objects, end)

    def _now(self) -> str:
        return self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _replace(path: Path, document: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    try:
        temporary.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        hint = "free some space, then go on with --resume; no finished trial is lost"
        raise EngineError(f"{path}: {error.strerror}", hint=hint) from error
