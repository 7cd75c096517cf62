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
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from katib.experiment import Experiment
from katib.trials import Trial, best

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
        return top > self.limit if self.minimize else top < self.limit


def stop_rule(experiment: Experiment, trials: Iterable[Trial]) -> StopRule:
    """Make the rule for a trial that is created now."""
    early = experiment.spec.get("earlyStopping")
    if not early:
        return StopRule(experiment.minimize, 1, None)
    name = early["algorithmName"]
    settings = dict(DEFAULTS[name]) | {s["name"]: float(s["value"]) for s in early.get("algorithmSettings", ())}
    steps, least = int(settings["start_step"]), settings["min_trials_required"]
    if name == "medianstop":
        means = [fmean(trial.series[:steps]) for trial in trials if trial.state == "Succeeded" and trial.series]
        limit = fmean(means) if len(means) >= least else None
    else:
        ended = [trial for trial in trials if trial.state in {"Succeeded", "EarlyStopped"}]
        known = [trial for trial in ended if len(trial.series) >= steps]
        limit = _near_the_best(experiment, known, steps, settings["margin"]) if len(known) >= least else None
    return StopRule(experiment.minimize, steps, limit)


def _near_the_best(experiment: Experiment, known: list[Trial], steps: int, margin: float) -> float | None:
    """Return the limit; maximizing is minimizing with the other sign."""
    metric, strategy, minimize = experiment.metric, experiment.strategy, experiment.minimize
    complete = [trial for trial in known if trial.state == "Succeeded"]
    top = best(complete, metric=metric, strategy=strategy, minimize=minimize)
    value = top.value(metric, strategy) if top else None
    if top is None or value is None:
        return None
    sign = 1.0 if minimize else -1.0
    shown = {trial.index: min(sign * report for report in trial.series[:steps]) for trial in known}
    near = shown[top.index] + margin * max(fmean(shown.values()) - shown[top.index], 0.0)
    return sign * max(near, sign * value)
