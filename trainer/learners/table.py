"""The table of learners, in the order in which `--help` lists them."""

from trainer.errors import TrainerError
from trainer.learners import (
    decision_tree,
    extra_trees,
    gradient_boosting,
    hist_gradient_boosting,
    lightgbm,
    random_forest,
    xgboost,
)
from trainer.learners.learner import Estimator, Learner
from trainer.learners.linear import elastic_net, lasso, logistic, ridge

LEARNERS: dict[str, Learner] = {
    module.LEARNER.name: module.LEARNER
    for module in (
        random_forest,
        extra_trees,
        decision_tree,
        gradient_boosting,
        hist_gradient_boosting,
        lightgbm,
        xgboost,
        ridge,
        lasso,
        elastic_net,
        logistic,
    )
}


def find_learner(estimator: Estimator) -> Learner:
    """Return the learner whose library made an estimator.

    Raises:
        TrainerError: when there is none.
    """
    for learner in LEARNERS.values():
        if learner.made(estimator):
            return learner
    raise TrainerError(
        f"{type(estimator).__name__} cannot be packaged",
        hint=f"learners: {', '.join(LEARNERS)}; see docs/models.md",
    )
