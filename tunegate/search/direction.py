"""Warns of an Experiment that searches for the worst model."""

from katib.experiment import Experiment
from registry.package import HIGHER_IS_BETTER, METRICS

KNOWN = {name for metrics in METRICS.values() for name in metrics}


def direction_warning(experiment: Experiment) -> str:
    """Return a warning if the objective is a known metric in its wrong direction, otherwise ""."""
    metric = experiment.metric
    if metric not in KNOWN or (metric in HIGHER_IS_BETTER) != experiment.minimize:
        return ""
    if experiment.minimize:
        return f"warning: a higher {metric} is better: set the objective's type to maximize"
    return f"warning: a lower {metric} is better: set the objective's type to minimize"
