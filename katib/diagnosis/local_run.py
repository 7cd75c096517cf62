"""Why a run on this machine has not ended or has no result; likely causes first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from katib.diagnosis.pod_causes import Cause
from katib.diagnosis.trial_failures import Failure, group_failures
from katib.local.run_folder import LocalRun
from katib.metrics_collector import strategy_value
from katib.objects import JsonObject, message, metric_strategy, reason
from katib.trial import Trial

LEAST_FREE = 100 << 20  # bytes
HANGING = 10  # times as long as the others
HANGING_SECONDS = 60.0
SHOWN = 4  # groups of failures; all fits on one screen


@dataclass(frozen=True, slots=True)
class RunContext:
    """What is known apart from the run's folder.

    Attributes:
        now: the time of day.
        free: bytes left on the disk of the folder.
        changed: how the Experiment's file differs from what the run started with; empty if it does
            not.
        tune: the command that starts this Experiment.
        again: the command that `--resume` belongs to, if it is another one.
    """

    now: datetime
    free: int
    changed: str
    tune: str
    again: str = ""

    @property
    def start(self) -> str:
        """The advice to start a new run."""
        return f"`{self.tune}` starts a new run"

    @property
    def resume(self) -> str:
        """The command that resumes the run."""
        return f"`{self.again or self.tune} --resume`"


def explain_run(run: LocalRun, context: RunContext) -> list[Cause]:
    """Return what is wrong with a run, or that nothing is, with counts."""
    failures = run_failures(run)
    found = [
        *_damage_causes(run, context),
        *_interruption_causes(run, context),
        *_hanging_causes(run, context),
        *_failure_causes(run, failures),
        *_early_end_causes(run, failures),
    ]
    if run.ended and not _valued_trials(run):
        found.append(_no_candidate(run, failures, context))
    found.sort(key=lambda cause: cause.ok)
    if any(not cause.ok for cause in found):
        return found
    return [_healthy_run(run, context), *found]


def run_failures(run: LocalRun) -> list[Failure]:
    """Return why trials of a run have no result, the most frequent cause first."""
    if not run.experiment:
        return []
    valued = {trial.name for trial in _valued_trials(run)}
    without = [
        trial
        for trial in run.trials
        if trial.done and trial.state != "EarlyStopped" and trial.name not in valued
    ]
    return group_failures(without, run.experiment["spec"], run.folder)


def _damage_causes(run: LocalRun, context: RunContext) -> Iterator[Cause]:
    for what in run.damaged[:SHOWN]:
        fix = f"{context.start}; packages of trials stay"
        if not run.ended and str(run.folder / "experiment.json") in what:
            fix = context.resume  # the engine writes that file again
        yield Cause("damaged", what, fix)
    if run.torn and not run.held:
        evidence = "killed while it wrote its last line; --resume ignores that line"
        yield Cause("journal cut off", evidence, ok=True)


def _interruption_causes(run: LocalRun, context: RunContext) -> Iterator[Cause]:
    """Yield why a run has not ended although no process holds its folder."""
    if run.ended or run.held:
        return
    if context.free < LEAST_FREE:
        evidence = f"{context.free >> 20} MiB free at {run.folder}"
        yield Cause("disk full", evidence, f"free some space, then {context.resume}")
    if context.changed:
        evidence = f"the run was interrupted, and since it began {context.changed}"
        fix = f"{context.start}; undo the change to resume this one"
        yield Cause("Experiment changed", evidence, fix)
    elif not run.damaged:
        yield Cause("interrupted", _trial_counts(run), context.resume)


def _hanging_causes(run: LocalRun, context: RunContext) -> Iterator[Cause]:
    ended = [_seconds_until(trial, trial.finished) for trial in run.trials if trial.done]
    durations = [seconds for seconds in ended if seconds is not None]
    if not run.held or not durations:
        return
    usual = median(durations)
    for trial in run.trials:
        seconds = _seconds_until(trial, context.now.isoformat())
        if trial.done or seconds is None or seconds <= max(HANGING_SECONDS, HANGING * usual):
            continue
        evidence = f"{trial.name} has run for {seconds:.0f} s, the others took {usual:.0f} s"
        log = run.folder / "trials" / trial.name / "output.log"
        fix = f"`tail {log}`; activeDeadlineSeconds in the template ends such a trial"
        yield Cause("a trial hangs", evidence, fix)


def _failure_causes(run: LocalRun, failures: list[Failure]) -> Iterator[Cause]:
    ok = _most_have_a_number(run) and not _ended_as(run, "ExperimentFailed")
    for failure in failures[:SHOWN]:
        count = f"{len(failure.trials)} of {len(run.trials)} trials, such as {failure.trials[0]}"
        yield Cause(failure.cause, f"{count}: {failure.evidence}", failure.fix, ok=ok)
    if rest := failures[SHOWN:]:
        evidence = f"{_count_failed(rest)} trials, of {len(rest)} more kinds"
        yield Cause("other failures", evidence, ok=True)


def _most_have_a_number(run: LocalRun) -> bool:
    """Whether enough of the trials that ran to their end say how good they are, as on a cluster."""
    valued = len(_valued_trials(run))
    complete = sum(trial.state in {"Succeeded", "MetricsUnavailable"} for trial in run.trials)
    return valued > 0 and complete <= 2 * valued


def _early_end_causes(run: LocalRun, failures: list[Failure]) -> Iterator[Cause]:
    """Yield why the run ended before maxTrialCount."""
    spec = run.experiment.get("spec", {})
    if _ended_as(run, "ExperimentFailed"):
        count = f"{_count_failed(failures)} trials without a result"
        evidence = f"{count}, maxFailedTrialCount is {spec.get('maxFailedTrialCount')}"
        yield Cause("too many failures", evidence, "fix their cause, then start a new run")
    limit = spec.get("maxTrialCount", 0)
    if _ended_as(run, "ExperimentSuggestionEndReached") and len(run.trials) < limit:
        evidence = f"all {len(run.trials)} points were tried before maxTrialCount {limit}"
        fix = "widen feasibleSpace, or lower maxTrialCount"
        if run.meta.get("earlier"):
            points = f"all points were tried, {len(run.trials)} of them in this run,"
            evidence = f"{points} before maxTrialCount {limit}"
            fix += ", or leave --warm-start out"
        yield Cause("search space ended", evidence, fix, ok=bool(_valued_trials(run)))


def _count_failed(failures: list[Failure]) -> int:
    return sum(len(failure.trials) for failure in failures)


def _no_candidate(run: LocalRun, failures: list[Failure], context: RunContext) -> Cause:
    counts = _trial_counts(run)
    if failures:
        fix = "fix the cause above, then start a new run"
        return Cause("no candidate", f"nothing to gate: {counts}", fix)
    evidence = "no trial has succeeded" if run.trials else "it ended without any trial"
    return Cause("no candidate", f"{evidence}: {counts}", f"`{context.tune}`")


def _healthy_run(run: LocalRun, context: RunContext) -> Cause:
    if run.held:
        return Cause("running", f"{_trial_counts(run)}; `tunegate watch` shows them", ok=True)
    evidence = f"{message(run.experiment)}: {_trial_counts(run)}"
    if reason(run.experiment) == "ExperimentTimeLimitReached":
        evidence += f"; {context.resume} resumes it"
    if context.changed:
        evidence += f"; since it began {context.changed}"
    return Cause("nothing wrong", evidence, ok=True)


def _trial_counts(run: LocalRun) -> str:
    text = str(sum(trial.done for trial in run.trials))
    if limit := run.experiment.get("spec", {}).get("maxTrialCount"):
        text += f" of {limit}"
    text += " trials have ended"
    states = [trial.state for trial in run.trials]
    if states:
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        text += f" ({counts})"
    return text


def _valued_trials(run: LocalRun) -> list[Trial]:
    """Return the trials that may become the candidate."""
    if not run.experiment:
        return []
    objective: JsonObject = run.experiment["spec"]["objective"]
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


def _seconds_until(trial: Trial, end: str) -> float | None:
    try:
        duration = datetime.fromisoformat(end) - datetime.fromisoformat(trial.started)
    except ValueError:
        return None
    return duration.total_seconds()
