"""Turn a fitted estimator into a flat forest; the only place that looks inside a library's trees."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatForest, Output

LEAF = -1


def flatten(estimator: Any, *, n_features: int) -> tuple[FlatForest, Output]:  # noqa: ANN401 - several libraries
    """Return the trees and how to combine them.

    Random forests predict bit for bit as scikit-learn does. XGBoost adds in float32, so it differs from these sums by
    a relative 1e-6 after 100 trees and 1e-4 after 3000 (measured on Boston).
    """
    if hasattr(estimator, "estimators_"):
        return _random_forest(estimator, n_features), Output()
    return _xgboost(estimator, n_features)


def round_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 not above each threshold, so that `x32 <= t` decides as before for every x32."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(
        np.float32
    )


def _random_forest(estimator: Any, n_features: int) -> FlatForest:  # noqa: ANN401
    trees = [member.tree_ for member in estimator.estimators_]
    nodes = [
        _Nodes(
            left=tree.children_left,
            right=tree.children_right,
            feature=tree.feature,
            threshold=round_down(tree.threshold),
            missing_left=tree.missing_go_to_left.astype(bool),
            value=tree.value.reshape(tree.node_count, -1),
        )
        for tree in trees
    ]
    return _join(nodes, n_features)


def _xgboost(estimator: Any, n_features: int) -> tuple[FlatForest, Output]:  # noqa: ANN401
    learner = json.loads(estimator.get_booster().save_raw("json"))["learner"]
    model = learner["gradient_booster"]["model"]
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    trees = [
        _xgboost_tree(tree, column, n_outputs)
        for tree, column in zip(model["trees"], model["tree_info"], strict=True)
    ]
    base = np.atleast_1d(json.loads(learner["learner_model_param"]["base_score"])).astype(
        np.float64
    )
    objective = learner["objective"]["name"]
    link = {"binary:logistic": "logistic", "multi:softprob": "softmax"}.get(objective, "identity")
    if link == "logistic":
        base = np.log(base / (1 - base))
    bases = np.broadcast_to(base, (n_outputs,)).tolist()
    return _join(trees, n_features), Output.checked({"combine": "sum", "base": bases, "link": link})


def _xgboost_tree(tree: dict[str, Any], column: int, n_outputs: int) -> "_Nodes":
    left = np.asarray(tree["left_children"])
    condition = np.asarray(tree["split_conditions"], dtype=np.float32)
    value = np.zeros((len(left), n_outputs))
    value[:, column] = condition
    return _Nodes(
        left=left,
        right=np.asarray(tree["right_children"]),
        feature=np.asarray(tree["split_indices"]),
        # XGBoost goes left where x < t; in float32 that is x <= the number before t.
        threshold=np.nextafter(condition, np.float32(-np.inf)),
        missing_left=np.asarray(tree["default_left"]).astype(bool),
        value=value,
    )


class _Nodes:
    """One tree, children counted from its own root, -1 at leaves."""

    def __init__(self, **arrays: NDArray[Any]) -> None:
        self.left = arrays["left"]
        self.right = arrays["right"]
        self.feature = arrays["feature"]
        self.threshold = arrays["threshold"]
        self.missing_left = arrays["missing_left"]
        self.value = arrays["value"]

    def placed(self, start: int) -> dict[str, NDArray[Any]]:
        """Return the node arrays of a flat forest, for a tree that begins at `start`."""
        leaf = self.left == LEAF
        own = np.arange(start, start + len(leaf))
        return {
            "feature": np.where(leaf, 0, self.feature).astype(np.int32),
            "threshold": np.where(leaf, 0, self.threshold).astype(np.float32),
            "left": np.where(leaf, own, self.left + start).astype(np.int32),
            "right": np.where(leaf, own, self.right + start).astype(np.int32),
            "missing_left": self.missing_left & ~leaf,
            "value": np.where(leaf[:, None], self.value, 0.0).astype(np.float64),
        }


def _join(trees: list[_Nodes], n_features: int) -> FlatForest:
    start = np.cumsum([0, *(len(tree.left) for tree in trees)]).astype(np.int32)
    placed = [tree.placed(int(at)) for tree, at in zip(trees, start, strict=False)]
    arrays = {name: np.concatenate([tree[name] for tree in placed]) for name in placed[0]}
    return FlatForest.from_arrays({"start": start, **arrays}, n_features=n_features)
