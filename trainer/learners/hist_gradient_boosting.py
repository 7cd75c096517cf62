"""scikit-learn's gradient boosting on histograms; its sums are equal bit for bit."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from registry.package import FlatForest, Output
from trainer.learners.gradient_boosting import boosted_link
from trainer.learners.learner import Estimator, Learner
from trainer.learners.parameters import (
    Depth,
    Fraction,
    Hyperparameters,
    LeafRows,
    LearningRate,
    Leaves,
    NotNegative,
    Searched,
    Trees,
)
from trainer.learners.tree_nodes import LEAF, TreeNodes, in_column, join_trees, round_down

LibraryNodes = Any  # a structured array


class HistGradientBoosting(Hyperparameters):
    """Parameters, with defaults, of scikit-learn's HistGradientBoostingRegressor, -Classifier."""

    max_iter: Annotated[Trees, Searched(50, 1000, log=True)] = 100
    learning_rate: Annotated[LearningRate, Searched(0.01, 0.3, log=True)] = 0.1
    max_leaf_nodes: Annotated[Leaves, Searched(4, 128, log=True)] = 31
    max_depth: Depth = None
    min_samples_leaf: Annotated[LeafRows, Searched(1, 50, log=True)] = 20
    l2_regularization: Annotated[NotNegative, Searched(1e-3, 10, log=True)] = 0.0
    max_features: Annotated[
        Fraction, Searched(0.2, 1.0), Field(description="a share above 0 and up to 1")
    ] = 1.0


def _flatten(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    baseline = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()  # noqa: SLF001
    n_outputs = len(baseline)
    trees = [TreeNodes.leaf(baseline)]
    for stage in estimator._predictors:  # noqa: SLF001 - no other way to the trees
        for column, predictor in enumerate(stage):
            trees.append(_tree(predictor.nodes, column, n_outputs))
    return join_trees(trees, n_features), Output(combine="sum", link=boosted_link(estimator))


def _left_categories(estimator: Estimator) -> dict[int, frozenset[int]]:
    found = dict[int, frozenset[int]]()
    start = 1  # the first tree is the base
    for stage in estimator._predictors:  # noqa: SLF001 - as above
        for predictor in stage:
            nodes = predictor.nodes
            for node in np.flatnonzero(nodes["is_categorical"] & ~nodes["is_leaf"]).tolist():
                words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
                bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
                found[start + node] = frozenset(np.flatnonzero(bits).tolist())
            start += len(nodes)
    return found


def _tree(nodes: LibraryNodes, column: int, n_outputs: int) -> TreeNodes:
    leaf = nodes["is_leaf"].astype(bool)
    return TreeNodes(
        left=np.where(leaf, LEAF, nodes["left"].astype(np.int64)),
        right=np.where(leaf, LEAF, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=round_down(np.where(leaf, 0.0, nodes["num_threshold"])),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=in_column(nodes["value"].astype(np.float64), column, n_outputs),
    )


LEARNER = Learner(
    name="hist_gradient_boosting",
    words="sum of small trees, splits on histograms",
    parameters=HistGradientBoosting,
    classes={
        "regression": "sklearn.ensemble:HistGradientBoostingRegressor",
        "classification": "sklearn.ensemble:HistGradientBoostingClassifier",
    },
    flatten=_flatten,
    left_categories=_left_categories,
    fixed={"early_stopping": False},
    share_error=2.0**-50,
)
