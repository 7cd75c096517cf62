"""scikit-learn's logistic regression, binary and multinomial."""

from typing import Annotated

from trainer.learners.learner import Learner
from trainer.learners.linear.scaled_pipeline import (
    OF_PIPELINE,
    ScaledColumns,
    flatten_linear,
    scaled_features,
)
from trainer.learners.parameters import Positive, Searched


class LogisticRegression(ScaledColumns):
    """Parameters, with defaults, of scikit-learn's LogisticRegression."""

    C: Annotated[Positive, Searched(1e-4, 1e3, log=True)] = 1.0


LEARNER = Learner(
    name="logistic",
    words="linear in the classes' log odds",
    parameters=LogisticRegression,
    classes={"classification": "sklearn.linear_model:LogisticRegression"},
    flatten=flatten_linear,
    fixed={"max_iter": 2000, "n_jobs": None},  # n_jobs has no effect, and ends with release 1.10
    assemble=scaled_features,
    of_pipeline=OF_PIPELINE,
    share_error=2.0**-50,
)
