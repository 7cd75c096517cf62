"""The search: Katib's Experiment, read, checked, and run on this machine as Katib would run it.

Uses nothing of the other rooms and knows trials only as commands that print metric lines. The
engine itself, which imports Optuna, is `katib.local.engine`.
"""

from katib.errors import EngineError, InvalidExperiment, KatibError, SpaceExhausted
from katib.experiment import Experiment, read_experiment
from katib.lint import lint_document
from katib.lint.finding import Finding

__all__ = [
    "EngineError",
    "Experiment",
    "Finding",
    "InvalidExperiment",
    "KatibError",
    "SpaceExhausted",
    "lint_document",
    "read_experiment",
]
