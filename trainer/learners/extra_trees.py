"""scikit-learn's extremely randomized trees; they predict bit for bit as scikit-learn does."""

from trainer.learners.forest_parameters import Bootstrap, ForestParameters
from trainer.learners.learner import Learner
from trainer.learners.sklearn_trees import flatten_forest


class ExtraTrees(ForestParameters):
    """Parameters, with defaults, of scikit-learn's ExtraTreesRegressor and -Classifier."""

    bootstrap: Bootstrap = False


LEARNER = Learner(
    name="extra_trees",
    words="mean of trees with random thresholds",
    parameters=ExtraTrees,
    classes={
        "regression": "sklearn.ensemble:ExtraTreesRegressor",
        "classification": "sklearn.ensemble:ExtraTreesClassifier",
    },
    flatten=flatten_forest,
    averages=True,
)
