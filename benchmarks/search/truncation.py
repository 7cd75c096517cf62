"""Losses of the smaller forests inside a grown one: lower max_depth, higher min_samples_split.

scikit-learn grows depth first and stops at a node that lies `max_depth` deep or has fewer than
`min_samples_split` rows; neither changes what is split above. So the smaller tree is the grown one
cut off there. Only the generator's state at later nodes differs, so a forest fitted directly is
another draw of the same distribution (the very same trees where a split has no choice of columns).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from registry.package.losses import PROBABILITY_FLOOR

Floats = NDArray[np.float64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def fold_losses(
    x: NDArray[np.float32],
    y: Floats,
    fold: Fold,
    settings: dict[str, Any],
    *,
    task: str,
    cuts: tuple[Sequence[int], Sequence[int]],
) -> Floats:
    """Fit on a fold's training rows; return the test rows' loss: float64 (depths, splits).

    The loss is mse or log loss.
    """
    training, test = fold
    kind = RandomForestRegressor if task == "regression" else RandomForestClassifier
    forest = kind(**settings).fit(
        x[training], y[training] if task == "regression" else y[training].astype(int)
    )
    said, counts = _along_paths(forest, x[test], y[test])
    ends = [(counts >= split).sum(axis=0) for split in cuts[1]]
    return np.array(
        [
            [_mean_loss(_truncated_prediction(said, end, depth), y[test], task) for end in ends]
            for depth in cuts[0]
        ]
    )


def _along_paths(
    forest: Any,  # noqa: ANN401 - fitted
    x: NDArray[np.float32],
    y: Floats,
) -> tuple[Floats, NDArray[np.int64]]:
    """Follow each row down each tree.

    Returns:
        What each node on the way predicts (of a classifier: the share of the row's own class) and
        how many training rows it has, both (depth of the deepest tree + 1, trees, rows); a leaf is
        repeated to the end.
    """
    trees = [member.tree_ for member in forest.estimators_]
    start = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    left = np.concatenate(
        [_children_from(tree.children_left, at) for tree, at in zip(trees, start, strict=True)]
    )
    right = np.concatenate(
        [_children_from(tree.children_right, at) for tree, at in zip(trees, start, strict=True)]
    )
    feature = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    rows = np.arange(len(x))
    at = np.repeat(start[:, None], len(x), axis=1)
    path = [at]
    for _ in range(max(tree.max_depth for tree in trees)):
        at = np.where(x[rows, feature[at]] <= threshold[at], left[at], right[at])
        path.append(at)
    nodes = np.array(path)
    value = np.concatenate([tree.value[:, 0, :] for tree in trees])
    column = y.astype(int) if value.shape[1] > 1 else np.zeros(len(y), dtype=int)
    return value[nodes, column], np.concatenate([tree.n_node_samples for tree in trees])[nodes]


def _children_from(children: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    """Return the node below each node of a tree, numbered among all trees; a leaf's is itself."""
    below: NDArray[np.int64] = np.where(children < 0, np.arange(len(children)), children) + start
    return below


def _truncated_prediction(said: Floats, ends: NDArray[np.int64], depth: int) -> Floats:
    """Return the trees' mean prediction (rows,), cut off at a depth or at `ends` (trees, rows)."""
    stop = np.minimum(ends, min(depth, len(said) - 1))
    mean: Floats = np.take_along_axis(said, stop[None], axis=0)[0].mean(axis=0)
    return mean


def _mean_loss(said: Floats, y: Floats, task: str) -> float:
    if task == "regression":
        return float(np.mean((y - said) ** 2))
    return float(np.mean(-np.log(np.clip(said, PROBABILITY_FLOOR, 1.0))))
