"""scikit-learn's elastic net: the penalties of lasso and ridge, mixed."""

from typing import Annotated

from trainer.learners.learner import Learner
from trainer.learners.linear.scaled_pipeline import (
    OF_PIPELINE,
    ScaledColumns,
    flatten_linear,
    scaled_features_and_target,
)
from trainer.learners.parameters import Fraction, Positive, Searched


class ElasticNetRegression(ScaledColumns):
    """Parameters of scikit-learn's ElasticNet; `alpha` is in standard deviations of the target.

    Its default there, 1.0, would leave out nearly every column.
    """

    alpha: Annotated[Positive, Searched(1e-4, 1.0, log=True)] = 0.01
    l1_ratio: Annotated[Fraction, Searched(0.05, 1.0)] = 0.5


LEARNER = Learner(
    name="elastic_net",
    words="linear, few and small coefficients",
    parameters=ElasticNetRegression,
    classes={"regression": "sklearn.linear_model:ElasticNet"},
    flatten=flatten_linear,
    fixed={"max_iter": 10_000, "copy_X": False},  # the pipeline has copied it
    assemble=scaled_features_and_target,
    of_pipeline=OF_PIPELINE,
)
