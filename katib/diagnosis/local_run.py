"""Why a run on this machine does not go on, or has no result, from what its folder shows; most likely cause first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from katib.diagnosis.pod_causes import Cause
from katib.diagnosis.trial_failures import Failure, failures
from katib.local.run_folder import LocalRun
from katib.metrics_collector import strategy_value
from katib.objects import message, metric_strategy, reason
from katib.trial import Trial

LEAST_FREE = 100 << 20  # bytes
HANGING = 10  # times as long as the others
HANGING_SECONDS = 60.0
SHOWN = 4  # groups of failures; all fits on one screen


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside the run's folder.

    Attributes:
        now: the time of day.
        free: bytes left where the folder lies.
        changed: how the Experiment's file differs from what the run was started with; empty where it does not.
        tune: the command that starts this Experiment.
    """

    now: datetime
    free: int
    changed: str
    tune: str

    @property
    def resume(self) -> str:
        """The command that goes on with the run."""
        return f"`{self.tune} --resume`"


def explain_run(run: LocalRun, around: Around) -> list[Cause]:
    """Return what is wrong with a run, or that nothing is, with counts."""
    found = [*_damaged(run, around), *_stopped(run, around), *_hanging(run, around)]
    failed = run_failures(run)
    found += [*_failures(run, failed), *_limits(run, failed), *_nothing(run, failed, around)]
    found.sort(key=lambda cause: cause.well)
    if any(not cause.well for cause in found):
        return found
    return [_well(run, around), *found]


def run_failures(run: LocalRun) -> list[Failure]:
    """Return why trials of a run have no result, the most frequent cause first."""
    valued = {trial.name for trial in _valued(run)}
    without = [
        t for t in run.trials if t.done and t.state != "EarlyStopped" and t.name not in valued
    ]
    if run.experiment:
        return failures(without, run.experiment["spec"], run.folder)
    return []


def _damaged(run: LocalRun, around: Around) -> Iterator[Cause]:
    for what in run.damaged[:SHOWN]:
        lost = (
            run.ended or str(run.folder / "experiment.json") in what
        )  # the engine writes that one anew
        if lost and not run.ended:
            mend = around.resume
        else:
            mend = f"`{around.tune}` starts a new run; packages of trials stay"
        yield Cause("damaged", what, mend)
    if run.torn and not run.held:
        yield Cause(
            "journal cut off",
            "killed while it wrote its last line; --resume passes over it",
            well=True,
        )


def _stopped(run: LocalRun, around: Around) -> Iterator[Cause]:
    """Say why a run that nobody is at has not ended."""
    if run.ended or run.held:
        return
    if around.free < LEAST_FREE:
        seen = f"{around.free >> 20} MiB free at {run.folder}"
        yield Cause("disk full", seen, f"free some space, then {around.resume}")
    if around.changed:
        mend = f"`{around.tune}` starts a new run; undo the change to go on with this one"
        yield Cause(
            "Experiment changed",
            f"the run was interrupted, and since it began {around.changed}",
            mend,
        )
    elif not run.damaged:
        yield Cause("interrupted", _counts(run), around.resume)


def _hanging(run: LocalRun, around: Around) -> Iterator[Cause]:
    known = [_seconds(trial, trial.finished) for trial in run.trials if trial.done]
    lasted = [seconds for seconds in known if seconds is not None]
    if not run.held or not lasted:
        return
    usual = median(lasted)
    for trial in run.trials:
        if trial.done:
            seconds = None
        else:
            seconds = _seconds(trial, around.now.isoformat())
        if seconds is not None and seconds > max(HANGING_SECONDS, HANGING * usual):
            seen = f"{trial.name} has run for {seconds:.0f} s, the others took {usual:.0f} s"
            log = run.folder / "trials" / trial.name / "output.log"
            yield Cause(
                "a trial hangs",
                seen,
                f"`tail {log}`; activeDeadlineSeconds in the template ends such a one",
            )


def _failures(run: LocalRun, failed: list[Failure]) -> Iterator[Cause]:
    well = bool(_valued(run)) and not _ended_as(run, "ExperimentFailed")
    for failure in failed[:SHOWN]:
        seen = f"{len(failure.trials)} of {len(run.trials)} trials, such as {failure.trials[0]}: {failure.seen}"
        yield Cause(failure.cause, seen, failure.mend, well=well)
    if rest := sum(len(failure.trials) for failure in failed[SHOWN:]):
        yield Cause(
            "other failures", f"{rest} trials, of {len(failed) - SHOWN} more kinds", well=True
        )


def _limits(run: LocalRun, failed: list[Failure]) -> Iterator[Cause]:
    """Say why it ended before maxTrialCount."""
    spec = run.experiment.get("spec", {})
    count = sum(len(failure.trials) for failure in failed)
    if _ended_as(run, "ExperimentFailed"):
        seen = f"{count} trials without a result, maxFailedTrialCount is {spec.get('maxFailedTrialCount')}"
        yield Cause("too many failures", seen, "mend their cause, then start a new run")
    if _ended_as(run, "ExperimentSuggestionEndReached") and len(run.trials) < spec.get(
        "maxTrialCount", 0
    ):
        warm = bool(run.meta.get("earlier"))
        if warm:
            points = f"all points were tried, {len(run.trials)} of them in this run,"
        else:
            points = f"all {len(run.trials)} points were tried"
        seen = f"{points} before maxTrialCount {spec['maxTrialCount']}"
        mend = f"widen feasibleSpace, or lower maxTrialCount{', or leave --warm-start out' if warm else ''}"
        yield Cause("search space ended", seen, mend, well=bool(_valued(run)))


def _nothing(run: LocalRun, failed: list[Failure], around: Around) -> Iterator[Cause]:
    if run.ended and not _valued(run) and not failed:
        if run.trials:
            seen = "no trial has succeeded"
        else:
            seen = "it ended without any trial"
        yield Cause("no candidate", f"{seen}: {_counts(run)}", f"`{around.tune}`")
    elif run.ended and not _valued(run):
        yield Cause(
            "no candidate",
            f"nothing to gate: {_counts(run)}",
            "mend the cause above, then start a new run",
        )


def _well(run: LocalRun, around: Around) -> Cause:
    if run.held:
        return Cause("going", f"{_counts(run)}; `tunegate watch` shows them", well=True)
    seen = f"{message(run.experiment)}: {_counts(run)}"
    if reason(run.experiment) == "ExperimentTimeLimitReached":
        seen += f"; {around.resume} goes on"
    if around.changed:
        seen += f"; since it began {around.changed}"
    return Cause("nothing wrong", seen, well=True)


def _counts(run: LocalRun) -> str:
    spec = run.experiment.get("spec", {})
    if spec.get("maxTrialCount"):
        total = f" of {spec['maxTrialCount']}"
    else:
        total = ""
    states = [trial.state for trial in run.trials]
    parts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    return f"{sum(trial.done for trial in run.trials)}{total} trials have ended{f' ({parts})' if parts else ''}"


def _valued(run: LocalRun) -> list[Trial]:
    """Return the trials that may become the candidate."""
    if not run.experiment:
        return []
    objective: dict[str, Any] = run.experiment["spec"]["objective"]
    metric = objective["objectiveMetricName"]
    strategy = metric_strategy(objective, metric)
    succeeded = [trial for trial in run.trials if trial.state == "Succeeded"]
    return [
        trial
        for trial in succeeded
        if strategy_value(trial.observation, metric, strategy) is not None
    ]


def _ended_as(run: LocalRun, why: str) -> bool:
    return run.ended and reason(run.experiment) == why


def _seconds(trial: Trial, until: str) -> float | None:
    try:
        return (
            datetime.fromisoformat(until) - datetime.fromisoformat(trial.started)
        ).total_seconds()
    except ValueError:
        return None
