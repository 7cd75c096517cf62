"""Which trials are stopped before their end: Katib's median stopping, and a rule of our own.

Both rules use what Katib's metrics collector can do: one limit, fixed when a trial is created. Once
there are `start_step` objective reports, the collector compares their best with the limit. The best
can only get better, so the first `start_step` reports decide.

`medianstop` (Katib v0.19, pkg/earlystopping/v1beta1/medianstop/service.py) compares with a mean:
once `min_trials_required` trials have succeeded, the limit is the mean over them of the mean of
each one's first `start_step` reports.

`tunegate`: the limit lies between the best report of the best complete trial by then and the mean
of the best reports of all trials that got so far, the stopped ones too; `margin` says where: 0 is
at the best, 1 at the mean. The rule needs trials that report on the same things in the same order,
as folds are. It is never stricter than the best trial's final value, so a stopped trial has a worse
value than the optimum, and nobody takes it for the optimum. Measured:
docs/decisions/0015-early-stopping.md.

The local engine and the service for clusters (`katib.earlystopping`) both call `rule_after`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from katib.experiment import Experiment
from katib.trial import Trial

DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "medianstop": {"min_trials_required": 3, "start_step": 4},
    "tunegate": {"min_trials_required": 3, "start_step": 1, "margin": 0.75},
}


@dataclass(slots=True)
class StopRule:
    """Watches one trial's reports; with `limit` None it never stops the trial."""

    minimize: bool
    start_step: int
    limit: float | None

    def is_hopeless(self, reports: list[float]) -> bool:
        """Whether the trial should stop after these objective reports."""
        if self.limit is None or len(reports) < self.start_step:
            return False
        if self.minimize:
            return min(reports) > self.limit
        return max(reports) < self.limit


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """A trial that has succeeded or was stopped early.

    Attributes:
        complete: whether it has succeeded.
        series: the objective's finite reports in order.
        value: the finite objective by which trials are compared, or None.
    """

    complete: bool
    series: Sequence[float]
    value: float | None


def stop_rule(experiment: Experiment, trials: Iterable[Trial]) -> StopRule:
    """Make the rule for a trial that is created now, from the other trials in order of asking."""
    early = experiment.spec.get("earlyStopping")
    if not early:
        return StopRule(experiment.minimize, 1, None)
    ended = [
        EndedTrial(
            trial.state == "Succeeded",
            trial.series,
            trial.value(experiment.metric, experiment.strategy),
        )
        for trial in trials
        if trial.state in {"Succeeded", "EarlyStopped"}
    ]
    settings = {s["name"]: s["value"] for s in early.get("algorithmSettings", ())}
    return rule_after(early["algorithmName"], settings, ended, minimize=experiment.minimize)


def rule_after(
    name: str, given: Mapping[str, str], ended: Sequence[EndedTrial], *, minimize: bool
) -> StopRule:
    """Make the rule after these trials, in order of asking: of equal trials the first is the best.

    Args:
        name: of the algorithm, a key of `DEFAULTS`.
        given: its settings, which lint has passed.
        ended: trials with reports.
        minimize: whether less is better.
    """
    settings = dict(DEFAULTS[name]) | {setting: float(value) for setting, value in given.items()}
    steps = int(settings["start_step"])
    try:
        if name == "medianstop":
            limit = _mean_of_means(ended, steps, settings)
        else:
            limit = _near_the_best(ended, steps, settings, 1.0 if minimize else -1.0)
    except OverflowError:  # of losses near the largest number
        limit = None
    if limit is not None and not math.isfinite(limit):
        limit = None
    return StopRule(minimize, steps, limit)


def _mean_of_means(
    ended: Sequence[EndedTrial], steps: int, settings: Mapping[str, float]
) -> float | None:
    means = [fmean(trial.series[:steps]) for trial in ended if trial.complete and trial.series]
    if len(means) >= settings["min_trials_required"]:
        return fmean(means)
    return None


def _near_the_best(
    ended: Sequence[EndedTrial], steps: int, settings: Mapping[str, float], sign: float
) -> float | None:
    """Return the limit; maximizing is minimizing with the other sign."""
    known = [trial for trial in ended if len(trial.series) >= steps]
    complete = [
        (sign * trial.value, trial) for trial in known if trial.complete and trial.value is not None
    ]
    if len(known) < settings["min_trials_required"] or not complete:
        return None
    value, best = min(complete, key=lambda each: each[0])
    top = _best_report(best, steps, sign)
    mean = fmean(_best_report(trial, steps, sign) for trial in known)
    return sign * max(top + settings["margin"] * max(mean - top, 0.0), value)


def _best_report(trial: EndedTrial, steps: int, sign: float) -> float:
    return min(sign * report for report in trial.series[:steps])
