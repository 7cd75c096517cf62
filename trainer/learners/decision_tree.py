"""scikit-learn's single tree; it predicts bit for bit as scikit-learn does."""

from typing import Annotated, Self

from pydantic import Field

from trainer.learners.forest_parameters import Criterion, fitting_criterion
from trainer.learners.learner import Learner
from trainer.learners.parameters import (
    Depth,
    Hyperparameters,
    LeafRows,
    NotNegative,
    Searched,
    SplitRows,
)
from trainer.learners.sklearn_trees import flatten_tree


class DecisionTree(Hyperparameters):
    """Parameters, with defaults, of scikit-learn's DecisionTreeRegressor and -Classifier."""

    max_depth: Annotated[Depth, Searched(2, 20)] = None
    min_samples_split: SplitRows = 2
    min_samples_leaf: Annotated[LeafRows, Searched(1, 100, log=True)] = 1
    ccp_alpha: Annotated[NotNegative, Field(description="a number of at least 0")] = 0.0
    criterion: Criterion = None

    def for_task(self, task: str, *, smallest_target: float = 0.0) -> Self:
        """Fill in the criterion.

        Raises:
            ParameterError: when it does not fit the task or the target.
        """
        criterion = fitting_criterion(self.criterion, task, smallest_target)
        return self.model_copy(update={"criterion": criterion})


LEARNER = Learner(
    name="decision_tree",
    words="one tree",
    parameters=DecisionTree,
    classes={
        "regression": "sklearn.tree:DecisionTreeRegressor",
        "classification": "sklearn.tree:DecisionTreeClassifier",
    },
    flatten=flatten_tree,
)
