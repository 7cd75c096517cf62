"""CatBoost's oblivious trees (extra `catboost`); its sums, in float64, are equal bit for bit.

All nodes of a level ask the same question, so a tree of depth d is d questions, and their answers
are the bits of the leaf's number. The package holds each as a full binary tree. CatBoost adds the
trees in order and its bias last, as the manifest's `output.base` does.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from registry.package import FlatForest, Link, Output
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
from trainer.learners.tree_nodes import LEAF, TreeNodes, join_trees

LibraryModel = Any  # parsed JSON
LINKS: dict[str, Link] = {
    "RMSE": "identity",
    "MAE": "identity",
    "Logloss": "logistic",
    "MultiClass": "softmax",
}
NUMERIC = "FloatFeature"  # a split's type
MISSING_RIGHT = "AsTrue"  # how a feature treats NaN; otherwise it is above no border


class CatBoost(Hyperparameters):
    """Parameters of CatBoost's oblivious trees; defaults are its own, but for the learning rate.

    CatBoost makes its default learning rate from the number of rows.
    """

    iterations: Annotated[Trees, Searched(100, 1000, log=True)] = 1000
    learning_rate: Annotated[LearningRate, Searched(0.01, 0.3, log=True)] = 0.03
    depth: Annotated[
        int, Integer, Searched(3, 8), Field(ge=1, le=12, description="an integer from 1 to 12")
    ] = 6
    l2_leaf_reg: Annotated[NotNegative, Searched(0.5, 30.0, log=True)] = 3.0
    rsm: Annotated[Fraction, Searched(0.3, 1.0)] = 1.0


def _flatten(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    loss = str(estimator.get_all_params()["loss_function"])
    model = _to_json(estimator)
    scale, bias = model["scale_and_bias"]
    if loss not in LINKS or scale != 1:
        raise TrainerError(
            f"CatBoost's loss {loss} cannot be packaged", hint=f"use one of {', '.join(LINKS)}"
        )
    if "oblivious_trees" not in model:
        raise TrainerError(
            "CatBoost's grow_policy of trees that are not symmetric cannot be packaged",
            hint="use grow_policy='SymmetricTree', the default",
        )
    features = model["features_info"].get("float_features", [])
    trees = [_tree(tree, features, len(bias)) for tree in model["oblivious_trees"]]
    base = tuple(float(each) for each in bias) if any(bias) else ()
    return join_trees(trees, n_features), Output(combine="sum", base=base, link=LINKS[loss])


def _to_json(estimator: Estimator) -> LibraryModel:
    """Return the model as CatBoost writes it, which it does to files alone.

    A trial's container may have no folder that can be written to, so the file is in memory where
    the system has such.
    """
    make_file = getattr(os, "memfd_create", None)  # Linux alone has it
    if make_file:
        number = make_file("catboost")
        with os.fdopen(number, "rb") as file:
            estimator.save_model(f"/proc/self/fd/{number}", format="json")
            return json.load(file)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        estimator.save_model(str(path), format="json")
        return json.loads(path.read_text(encoding="utf-8"))


def _tree(tree: LibraryModel, features: LibraryModel, n_outputs: int) -> TreeNodes:
    splits = tree.get("splits") or []
    if any(split["split_type"] != NUMERIC for split in splits):
        raise TrainerError(
            "categorical splits of CatBoost cannot be packaged", hint="leave cat_features out"
        )
    leaves = np.array(tree["leaf_values"], dtype=np.float64).reshape(-1, n_outputs)
    if not splits:
        return TreeNodes.leaf(leaves[0])
    asked = [features[split["float_feature_index"]] for split in splits]
    depth = len(splits)
    n_inner = 2**depth - 1
    inner = np.arange(n_inner)
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))  # of each inner node
    fill = np.zeros(len(leaves), dtype=np.int64)

    def at_nodes(values: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.array(values, dtype)[level], fill.astype(dtype)])

    return TreeNodes(
        left=np.concatenate([2 * inner + 1, fill + LEAF]),
        right=np.concatenate([2 * inner + 2, fill + LEAF]),
        feature=at_nodes([each["flat_feature_index"] for each in asked], np.int64),
        threshold=at_nodes([split["border"] for split in splits], np.float32),
        missing_left=at_nodes(
            [each["nan_value_treatment"] != MISSING_RIGHT for each in asked], np.bool_
        ),
        value=np.concatenate([np.zeros((n_inner, n_outputs)), leaves[_from_left(depth)]]),
    )


def _from_left(depth: int) -> NDArray[np.int64]:
    """Return CatBoost's number of each leaf, from left to right.

    The first question, at the root, is the lowest bit of CatBoost's number.
    """
    place = np.arange(2**depth)
    number = np.zeros(2**depth, dtype=np.int64)
    for question in range(depth):
        number |= (place >> (depth - 1 - question) & 1) << question
    return number


LEARNER = Learner(
    name="catboost",
    words="sum of small symmetric trees, by CatBoost",
    parameters=CatBoost,
    classes={
        "regression": "catboost:CatBoostRegressor",
        "classification": "catboost:CatBoostClassifier",
    },
    flatten=_flatten,
    fixed={"verbose": False, "allow_writing_files": False, "thread_count": 1},
    extra="catboost",
    share_error=2.0**-50,
    library_error="catboost:CatBoostError",
)
