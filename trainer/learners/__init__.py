"""What can be trained: one module a learner, and the table that lists them.

To add a learner, write its module, which ends in a `Learner`, and add that to `table.LEARNERS`.
Command line, environment variables, search, gate and package follow from the table.
"""

from trainer.learners.learner import Estimator, Learner
from trainer.learners.parameters import Given, Hyperparameters, Searched
from trainer.learners.table import LEARNERS, find_learner, find_learner_by_name

__all__ = [
    "LEARNERS",
    "Estimator",
    "Given",
    "Hyperparameters",
    "Learner",
    "Searched",
    "find_learner",
    "find_learner_by_name",
]
