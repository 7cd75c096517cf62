"""XGBoost's trees (extra `xgboost`); its sums are equal bit for bit.

XGBoost adds in float32, beginning with its base score, so the package's leaves are float32, and its
first tree is the base score. XGBoost's class shares are float32 too, and differ from the float64
ones of the package by their rounding.
"""

import json
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from registry.package import FlatForest, Output
from trainer.errors import TrainerError
from trainer.learners.learner import Estimator, Learner
from trainer.learners.parameters import (
    Fraction,
    Hyperparameters,
    Integer,
    LearningRate,
    NotNegative,
    Searched,
    Trees,
)
from trainer.learners.tree_nodes import TreeNodes, in_column, join_trees

LibraryTree = Any  # parsed JSON
ONE = np.float32(1)
LINKS = {
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "binary:logistic": "logistic",
    "multi:softprob": "softmax",
}


class XGBoost(Hyperparameters):
    """Parameters of XGBoost's gradient-boosted trees, with its defaults."""

    n_estimators: Annotated[Trees, Searched(50, 1000, log=True)] = 100
    max_depth: Annotated[
        int, Integer, Searched(2, 12), Field(ge=1, le=30, description="an integer from 1 to 30")
    ] = 6
    learning_rate: Annotated[LearningRate, Searched(0.01, 0.3, log=True)] = 0.3
    min_child_weight: Annotated[NotNegative, Searched(0.1, 30, log=True)] = 1.0
    subsample: Annotated[Fraction, Searched(0.5, 1.0)] = 1.0
    colsample_bytree: Annotated[Fraction, Searched(0.3, 1.0)] = 1.0
    reg_lambda: Annotated[NotNegative, Searched(1e-3, 30, log=True)] = 1.0


def _flatten(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    learner = json.loads(estimator.get_booster().save_raw("json"))["learner"]
    booster = learner["gradient_booster"]
    objective = learner["objective"]["name"]
    if booster["name"] != "gbtree" or objective not in LINKS:
        raise TrainerError(
            f"XGBoost's {booster['name']} with the objective {objective} cannot be packaged",
            hint=f"use the booster gbtree with one of {', '.join(LINKS)}",
        )
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    link = LINKS[objective]
    base = np.float32(json.loads(learner["learner_model_param"]["base_score"]))
    if link == "logistic":  # in float32, as XGBoost does
        base = -np.log(ONE / base - ONE)
    trees = [TreeNodes.leaf(np.broadcast_to(base, (n_outputs,)))]
    model = booster["model"]
    trees += [
        _tree(tree, column, n_outputs)
        for tree, column in zip(model["trees"], model["tree_info"], strict=True)
    ]
    return join_trees(trees, n_features), Output.checked({"combine": "sum", "link": link})


def _tree(tree: LibraryTree, column: int, n_outputs: int) -> TreeNodes:
    if any(tree["split_type"]):
        raise TrainerError(
            "categorical splits of XGBoost cannot be packaged", hint="use enable_categorical=False"
        )
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    return TreeNodes(
        left=np.asarray(tree["left_children"]),
        right=np.asarray(tree["right_children"]),
        feature=np.asarray(tree["split_indices"]),
        # XGBoost goes left where x < t; in float32 that is x <= the number before t.
        threshold=np.nextafter(condition, np.float32(-np.inf)),
        missing_left=np.asarray(tree["default_left"]).astype(bool),
        value=in_column(condition, column, n_outputs),
    )


LEARNER = Learner(
    name="xgboost",
    words="sum of small trees, by XGBoost",
    parameters=XGBoost,
    classes={"regression": "xgboost:XGBRegressor", "classification": "xgboost:XGBClassifier"},
    flatten=_flatten,
    fixed={"tree_method": "hist"},
    extra="xgboost",
    share_error=2.0**-21,
)
