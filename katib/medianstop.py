"""Katib's median stopping, which compares with a mean.

Source: Katib v0.19, pkg/earlystopping/v1beta1/medianstop/service.py and cmd/metricscollector: once
`min_trials_required` trials have succeeded, the rule is the mean over them of the mean of each one's first
`start_step` objective reports; it is fixed when a trial is created. A trial ends early when, from its `start_step`-th
report on, the best it has reported so far is worse than that.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from katib.experiment import Experiment
from katib.trials import Trial

DEFAULTS = {"min_trials_required": 3, "start_step": 4}


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
    given = {s["name"]: int(s["value"]) for s in early.get("algorithmSettings", ())}
    settings = DEFAULTS | given
    steps = settings["start_step"]
    means = [fmean(t.series[:steps]) for t in trials if t.state == "Succeeded" and t.series]
    limit = fmean(means) if len(means) >= settings["min_trials_required"] else None
    return StopRule(experiment.minimize, steps, limit)
