"""LightGBM's trees (extra `lightgbm`); its sums, in float64, are equal bit for bit.

Its text form has every number with 17 digits. A value that is missing where training had none
counts as 0; the package's missing direction says the same. So does a value as near to 0 as `ZERO`.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from registry.package import FlatForest, Output
from trainer.errors import TrainerError
from trainer.learners.learner import Estimator, Learner
from trainer.learners.parameters import (
    Fraction,
    Hyperparameters,
    Integer,
    LearningRate,
    Leaves,
    NotNegative,
    Searched,
    Trees,
)
from trainer.learners.tree_nodes import TreeNodes, in_column, join_trees, round_down

Block = dict[str, str]
CATEGORICAL = 1  # bits of a node's decision type
DEFAULT_LEFT = 2
MISSING_TYPE = 2  # its bits begin here
ZERO_MISSING = 1  # a missing type
NAN_MISSING = 2  # another
ZERO = np.float32(1e-35)  # LightGBM reads whatever is not farther from 0 as 0
LINKS = {"regression": "identity", "regression_l1": "identity", "huber": "identity"}


class LightGBM(Hyperparameters):
    """Parameters of LightGBM's gradient-boosted trees, with its defaults."""

    n_estimators: Annotated[Trees, Searched(50, 1000, log=True)] = 100
    num_leaves: Annotated[Leaves, Searched(4, 128, log=True)] = 31
    learning_rate: Annotated[LearningRate, Searched(0.01, 0.3, log=True)] = 0.1
    min_child_samples: Annotated[
        int,
        Integer,
        Searched(1, 50, log=True),
        Field(ge=1, le=100_000, description="an integer from 1 to 100000"),
    ] = 20
    subsample: Annotated[Fraction, Searched(0.5, 1.0)] = 1.0
    colsample_bytree: Annotated[Fraction, Searched(0.3, 1.0)] = 1.0
    reg_lambda: Annotated[NotNegative, Searched(1e-3, 30, log=True)] = 0.0


def _flatten(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    text = estimator.booster_.model_to_string(num_iteration=-1)
    head, *blocks = [
        _parse(block) for block in text.partition("\nend of trees")[0].split("\nTree=")
    ]
    n_outputs = int(head["num_tree_per_iteration"])
    link = _link(head["objective"])
    if "average_output" in head:
        raise TrainerError("LightGBM's boosting `rf` cannot be packaged", hint="use gbdt")
    trees = [_tree(block, i % n_outputs, n_outputs) for i, block in enumerate(blocks)]
    return join_trees(trees, n_features), Output.checked({"combine": "sum", "link": link})


def _parse(block: str) -> Block:
    """Return the `name=value` lines of a block of the text form."""
    lines = (line.partition("=") for line in block.splitlines())
    return {name: value for name, _, value in lines}


def _link(objective: str) -> str:
    name, *settings = objective.split(" ")
    if name in LINKS and not settings:
        return LINKS[name]
    if name == "binary" and "sigmoid:1" in settings:
        return "logistic"
    if name == "multiclass":
        return "softmax"
    raise TrainerError(
        f"LightGBM's objective `{objective}` cannot be packaged",
        hint="use regression, regression_l1, huber, binary or multiclass",
    )


def _tree(block: Block, column: int, n_outputs: int) -> TreeNodes:
    leaves = np.array(block["leaf_value"].split(), dtype=np.float64)
    if int(block["num_leaves"]) == 1:
        return TreeNodes.leaf(in_column(leaves[:1], column, n_outputs)[0])
    if block.get("is_linear", "0") != "0":
        raise TrainerError("LightGBM's linear trees cannot be packaged", hint="linear_tree=False")
    decision = np.array(block["decision_type"].split(), dtype=np.int64)
    missing = decision >> MISSING_TYPE
    if (decision & CATEGORICAL).any() or (missing == ZERO_MISSING).any():
        raise TrainerError(
            "LightGBM's categorical splits, and zero_as_missing, cannot be packaged",
            hint="encode categories as 0/1 columns, or by an OrdinalEncoder",
        )
    n_inner = len(decision)
    threshold = np.array(block["threshold"].split(), dtype=np.float64)
    missing_left = np.where(missing == NAN_MISSING, decision & DEFAULT_LEFT != 0, threshold >= 0)
    # Inner nodes first, each after its parent, then leaves: leaf i is written as child -1 - i.
    left, right = (
        np.array(block[f"{side}_child"].split(), dtype=np.int64) for side in ("left", "right")
    )
    fill = np.full(len(leaves), -1)
    return TreeNodes(
        left=np.concatenate([np.where(left < 0, n_inner - 1 - left, left), fill]),
        right=np.concatenate([np.where(right < 0, n_inner - 1 - right, right), fill]),
        feature=np.concatenate([np.array(block["split_feature"].split(), np.int64), fill + 1]),
        threshold=np.concatenate([_rounded(threshold), np.zeros(len(leaves), np.float32)]),
        missing_left=np.concatenate([missing_left, fill > 0]),
        value=in_column(np.concatenate([np.zeros(n_inner), leaves]), column, n_outputs),
    )


def _rounded(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return thresholds in float32 that decide as LightGBM does, which reads tiny values as 0."""
    rounded = round_down(threshold)
    tiny = np.abs(rounded) <= ZERO
    rounded[tiny & (threshold >= 0)] = ZERO
    rounded[tiny & (threshold < 0)] = np.nextafter(-ZERO, np.float32(-np.inf))
    return rounded


LEARNER = Learner(
    name="lightgbm",
    words="sum of small trees, by LightGBM",
    parameters=LightGBM,
    classes={"regression": "lightgbm:LGBMRegressor", "classification": "lightgbm:LGBMClassifier"},
    flatten=_flatten,
    fixed={"verbose": -1, "subsample_freq": 1, "deterministic": True, "force_row_wise": True},
    extra="lightgbm",
    share_error=2.0**-50,
)
