"""scikit-learn's lasso: least squares with a penalty that leaves columns out."""

from typing import Annotated

from trainer.learners.learner import Learner
from trainer.learners.linear.scaled_pipeline import (
    OF_PIPELINE,
    ScaledColumns,
    flatten_linear,
    scaled_features_and_target,
)
from trainer.learners.parameters import Positive, Searched


class LassoRegression(ScaledColumns):
    """Parameters of scikit-learn's Lasso; `alpha` is in standard deviations of the target.

    Its default there, 1.0, would leave out every column.
    """

    alpha: Annotated[Positive, Searched(1e-4, 1.0, log=True)] = 0.01


LEARNER = Learner(
    name="lasso",
    words="linear, few columns",
    parameters=LassoRegression,
    classes={"regression": "sklearn.linear_model:Lasso"},
    flatten=flatten_linear,
    fixed={"max_iter": 10_000, "copy_X": False},  # the pipeline has copied it
    assemble=scaled_features_and_target,
    of_pipeline=OF_PIPELINE,
)
