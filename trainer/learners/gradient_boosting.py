"""scikit-learn's gradient boosting of regression trees.

Its sums are equal bit for bit: they begin with the initial prediction, and each stage adds
learning_rate times a leaf, as scikit-learn does. It does not take missing values.
"""

from typing import Annotated

import numpy as np

from registry.package import FlatForest, Link, Output
from trainer.errors import TrainerError
from trainer.learners.learner import Estimator, Learner
from trainer.learners.parameters import (
    Depth,
    Fraction,
    Hyperparameters,
    LeafRows,
    LearningRate,
    Searched,
    Trees,
)
from trainer.learners.sklearn_trees import tree_nodes
from trainer.learners.tree_nodes import TreeNodes, in_column, join_trees


class GradientBoosting(Hyperparameters):
    """Parameters, with defaults, of scikit-learn's GradientBoostingRegressor and -Classifier."""

    n_estimators: Annotated[Trees, Searched(50, 1000, log=True)] = 100
    learning_rate: Annotated[LearningRate, Searched(0.01, 0.3, log=True)] = 0.1
    max_depth: Annotated[Depth, Searched(2, 8)] = 3
    min_samples_leaf: Annotated[LeafRows, Searched(1, 50, log=True)] = 1
    subsample: Annotated[Fraction, Searched(0.5, 1.0)] = 1.0
    max_features: Annotated[Fraction, Searched(0.2, 1.0)] = 1.0


def _flatten(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    if estimator.init not in {None, "zero"}:
        raise TrainerError(
            "a gradient boosting with an estimator as `init` cannot be packaged",
            hint="leave `init` out",
        )
    n_outputs = estimator.estimators_.shape[1]
    start = np.asarray(
        estimator._raw_predict_init(np.zeros((1, n_features), dtype=np.float32)),  # noqa: SLF001
        dtype=np.float64,
    )
    trees = [TreeNodes.leaf(start.reshape(n_outputs))]
    for stage in estimator.estimators_:
        for column, member in enumerate(stage):
            tree = member.tree_
            leaves = in_column(estimator.learning_rate * tree.value.ravel(), column, n_outputs)
            trees.append(tree_nodes(tree, leaves))
    return join_trees(trees, n_features), Output(combine="sum", link=boosted_link(estimator))


def boosted_link(estimator: Estimator) -> Link:
    """Return the manifest's link of a boosted estimator of scikit-learn.

    Raises:
        TrainerError: for a loss that has another link.
    """
    if not hasattr(estimator, "classes_"):
        loss = estimator.loss
        if loss not in {"squared_error", "absolute_error", "huber", "quantile"}:
            raise TrainerError(
                f"the loss {loss} cannot be packaged", hint="use squared_error or absolute_error"
            )
        return "identity"
    if estimator.loss != "log_loss":
        raise TrainerError(f"the loss {estimator.loss} cannot be packaged", hint="use log_loss")
    if len(estimator.classes_) == 2:  # noqa: PLR2004 - two classes
        return "logistic"
    return "softmax"


LEARNER = Learner(
    name="gradient_boosting",
    words="sum of small trees, exact splits",
    parameters=GradientBoosting,
    classes={
        "regression": "sklearn.ensemble:GradientBoostingRegressor",
        "classification": "sklearn.ensemble:GradientBoostingClassifier",
    },
    flatten=_flatten,
    share_error=2.0**-50,
)
