"""The table of learners, in the order in which `--help` lists them."""

from trainer.errors import ParameterError, TrainerError
from trainer.learners import (
    catboost,
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
        catboost,
        ridge,
        lasso,
        elastic_net,
        logistic,
    )
}


def find_learner_by_name(name: str) -> Learner:
    """Return the learner of a name.

    Raises:
        ParameterError: when there is none.
    """
    if name not in LEARNERS:
        raise ParameterError(f"--model: no learner {name}", hint=f"learners: {', '.join(LEARNERS)}")
    return LEARNERS[name]


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
