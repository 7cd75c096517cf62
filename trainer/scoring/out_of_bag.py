"""A forest's score on the rows that each of its trees was not fitted on: no further fit."""

import copy
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from registry.package.losses import Floats
from trainer.dataset import Dataset
from trainer.learners import Estimator
from trainer.recipe import Recipe
from trainer.scoring.metrics import metric_value

MAX_ROWS = 100_000  # predicted for the score; it is exact enough, and large tables have many more


@dataclass(frozen=True, slots=True)
class FittedModel:
    """An estimator, fitted on the whole training part.

    Attributes:
        estimator: of any learner's library.
        out_of_bag: the data set's metric over the training part, or over MAX_ROWS of its rows,
            each row predicted by the trees that were fitted without it. None for other models than
            forests with bootstrap, where a row is in every tree's sample, as with a handful of
            trees, and where rows belong together by group or follow in time: a tree's sample then
            has rows that tell of those left out.
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
    estimator = recipe.fit(x, part.y, weight=part.weight, n_jobs=n_jobs)
    is_independent = part.group is None and part.time is None
    if not (is_independent and getattr(recipe.parameters, "bootstrap", False)):
        return FittedModel(estimator, None)
    # The rows are in the order of their hashes, or shuffled, so evenly spaced ones are as any.
    rows = np.linspace(0, len(x) - 1, min(len(x), MAX_ROWS)).astype(np.int64)
    predicted = predict_out_of_bag(recipe, estimator, x, rows)
    if predicted is None:
        return FittedModel(estimator, None)
    weight = None if part.weight is None else part.weight[rows]
    score = metric_value(recipe.task, dataset.spec.metric, part.y[rows], predicted, weight)
    return FittedModel(estimator, score if math.isfinite(score) else None)


def predict_out_of_bag(
    recipe: Recipe, forest: Estimator, x: NDArray[np.float32], rows: NDArray[np.int64]
) -> Floats | None:
    """Predict rows by the trees that were fitted without them, as scikit-learn's `oob_score` does.

    Args:
        recipe: it fitted the forest, with bootstrap.
        forest: fitted on `x`.
        x: float32 (n, n_features).
        rows: int64 (n_rows,), the positions to predict.

    Returns:
        float64 (n_rows, 1) in the target's unit, or (n_rows, n_classes) shares; None where a row
        is in every tree's sample.
    """
    outputs = len(forest.classes_) if recipe.task == "classification" else 1
    total = np.zeros((len(rows), outputs))
    trees = np.zeros(len(rows), dtype=np.int64)
    one_tree = copy.copy(forest)  # the samples of all trees at once may not fit into memory
    for tree in forest.estimators_:
        one_tree.estimators_ = [tree]
        is_left_out = np.ones(len(x), dtype=bool)
        is_left_out[one_tree.estimators_samples_[0]] = False
        places = np.flatnonzero(is_left_out[rows])
        predict = tree.predict if recipe.task == "regression" else tree.predict_proba
        total[places] += predict(x[rows[places]], check_input=False).reshape(-1, outputs)
        trees[places] += 1
    if not trees.all():
        return None
    mean = total / trees[:, None]
    if recipe.task == "regression":
        return recipe.in_target_unit(mean)
    return recipe.served_shares(forest, mean)
