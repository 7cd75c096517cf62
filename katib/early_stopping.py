"""Which trial is stopped before its end: Katib's median stopping, which compares with a mean, and a rule of our own.

Both are what Katib's metrics collector can do: one limit, fixed when a trial is created, against which the best of a
trial's objective reports is held once there are `start_step` of them. As the best can only get better, that is decided
by the first `start_step` reports.

`medianstop` (Katib v0.19, pkg/earlystopping/v1beta1/medianstop/service.py): once `min_trials_required` trials have
succeeded, the limit is the mean over them of the mean of each one's first `start_step` reports.

`tunegate`: the limit lies between what the best complete trial had to show after as many reports and the mean of what
all trials had that got so far, the stopped ones too; `margin` says where, 0 at the best and 1 at the mean. It needs
trials that report on the same things in the same order, as folds are. It is never stricter than the best trial's final
value, so that what is stopped has a worse value than the optimum, and nobody takes it for the optimum. Measured:
docs/decisions/0015-early-stopping.md.

The local engine and the service for clusters (`katib.earlystopping`) draw the same limit with `rule_after`.
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
    """Watches one trial's reports; `limit` None never stops it, but the reports are kept for later rules."""

    minimize: bool
    start_step: int
    limit: float | None

    def hopeless(self, reports: list[float]) -> bool:
        """Whether the trial should stop after these objective reports."""
        if self.limit is None or len(reports) < self.start_step:
            return False
        top = min(reports) if self.minimize else max(reports)
        if self.minimize:
            return top > self.limit
        return top < self.limit


@dataclass(frozen=True, slots=True)
class Ended:
    """What a trial that has succeeded, or was stopped early, has shown.

    Attributes:
        complete: whether it has succeeded.
        series: the objective's finite reports in their order.
        value: the finite objective by which it is compared, or None.
    """

    complete: bool
    series: Sequence[float]
    value: float | None


def stop_rule(experiment: Experiment, trials: Iterable[Trial]) -> StopRule:
    """Make the rule for a trial that is created now; the others in the order of asking."""
    early = experiment.spec.get("earlyStopping")
    if not early:
        return StopRule(experiment.minimize, 1, None)
    ended = [
        Ended(
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
    name: str, given: Mapping[str, str], ended: Sequence[Ended], *, minimize: bool
) -> StopRule:
    """Make the rule after these trials, in the order of asking: of equal ones the first is the best.

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
    return StopRule(minimize, steps, limit if limit is not None and math.isfinite(limit) else None)


def _mean_of_means(
    ended: Sequence[Ended], steps: int, settings: Mapping[str, float]
) -> float | None:
    means = [fmean(trial.series[:steps]) for trial in ended if trial.complete and trial.series]
    if len(means) >= settings["min_trials_required"]:
        return fmean(means)
    return None


def _near_the_best(
    ended: Sequence[Ended], steps: int, settings: Mapping[str, float], sign: float
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


def _best_report(trial: Ended, steps: int, sign: float) -> float:
    return min(sign * report for report in trial.series[:steps])
