"""scikit-learn's trees: the forests and the single tree, and gradient boosting of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatForest, Output
from trainer.learners.learner import Estimator
from trainer.learners.tree_nodes import TreeNodes, join_trees, round_down

LibraryTree = Any  # sklearn.tree._tree.Tree, which has no type


def tree_nodes(tree: LibraryTree, value: NDArray[np.floating] | None = None) -> TreeNodes:
    """Return a tree's nodes.

    Args:
        tree: scikit-learn's.
        value: float64 (n_nodes, n_outputs), what its leaves add instead of their own values.
    """
    own = tree.value.reshape(tree.node_count, -1)
    return TreeNodes(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=round_down(tree.threshold),
        missing_left=tree.missing_go_to_left.astype(bool),
        value=own if value is None else value,
    )


def flatten_forest(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    """Return the trees of a random forest or of extra trees; the answer is their mean."""
    trees = [tree_nodes(member.tree_) for member in estimator.estimators_]
    return join_trees(trees, n_features), Output()


def flatten_tree(estimator: Estimator, n_features: int) -> tuple[FlatForest, Output]:
    """Return a single tree: a forest of one."""
    return join_trees([tree_nodes(estimator.tree_)], n_features), Output()
