"""scikit-learn's ridge regression: least squares with a penalty on squared coefficients."""

from typing import Annotated

from trainer.learners.learner import Learner
from trainer.learners.linear.scaled_pipeline import (
    OF_PIPELINE,
    ScaledColumns,
    flatten_linear,
    scaled_features_and_target,
)
from trainer.learners.parameters import Positive, Searched


class RidgeRegression(ScaledColumns):
    """Parameters, with defaults, of scikit-learn's Ridge."""

    alpha: Annotated[Positive, Searched(1e-3, 1e4, log=True)] = 1.0


LEARNER = Learner(
    name="ridge",
    words="linear, small coefficients",
    parameters=RidgeRegression,
    classes={"regression": "sklearn.linear_model:Ridge"},
    flatten=flatten_linear,
    fixed={"copy_X": False},  # the pipeline has copied it
    assemble=scaled_features_and_target,
    of_pipeline=OF_PIPELINE,
)
