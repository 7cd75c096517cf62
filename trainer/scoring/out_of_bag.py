"""A forest's score on the rows that each of its trees was not fitted on: no further fit."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.dataset import Dataset
from trainer.learners import Estimator
from trainer.recipe import Recipe
from trainer.scoring.metrics import metric_value


@dataclass(frozen=True, slots=True)
class FittedModel:
    """An estimator, fitted on the whole training part.

    Attributes:
        estimator: of any learner's library.
        out_of_bag: the data set's metric over the training part, each row predicted by the trees
            that were fitted without it. None for other models than forests with bootstrap, where
            a row is in every tree's sample, as with a handful of trees, and where rows belong
            together by group or follow in time: a tree's sample then has rows that tell of those
            left out.
    """

    estimator: Estimator
    out_of_bag: float | None


def fit_whole(
    recipe: Recipe, dataset: Dataset, x: NDArray[np.float32], *, n_jobs: int = 1
) -> FittedModel:
    """Fit on the whole training part, encoded as `x`.

    Raises:
        TrainerError: as `Recipe.fit` does.
    """
    part = dataset.training
    is_independent = part.group is None and part.time is None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = recipe.fit(
            x, part.y, weight=part.weight, n_jobs=n_jobs, out_of_bag=is_independent
        )
    if any("OOB" in str(warning.message) for warning in caught):
        return FittedModel(estimator, None)
    return FittedModel(estimator, _out_of_bag_score(recipe, estimator, dataset))


def _out_of_bag_score(recipe: Recipe, estimator: Estimator, dataset: Dataset) -> float | None:
    if hasattr(estimator, "oob_decision_function_"):
        predicted = recipe.served_shares(estimator, estimator.oob_decision_function_)
    elif hasattr(estimator, "oob_prediction_"):
        predicted = recipe.in_target_unit(estimator.oob_prediction_[:, None])
    else:
        return None
    part = dataset.training
    metric = dataset.spec.metric
    value = metric_value(recipe.task, metric, part.y, predicted, part.weight)
    return value if math.isfinite(value) else None
