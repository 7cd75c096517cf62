"""scikit-learn's random forest; it predicts bit for bit as scikit-learn does."""

from trainer.learners.forest_parameters import ForestParameters
from trainer.learners.learner import Learner
from trainer.learners.sklearn_trees import flatten_forest


class RandomForest(ForestParameters):
    """Parameters, with defaults, of scikit-learn's RandomForestRegressor and -Classifier."""


LEARNER = Learner(
    name="random_forest",
    words="mean of trees on bootstrap samples",
    parameters=RandomForest,
    classes={
        "regression": "sklearn.ensemble:RandomForestRegressor",
        "classification": "sklearn.ensemble:RandomForestClassifier",
    },
    flatten=flatten_forest,
    averages=True,
)
