"""Makes the copy from the predictor's own arrays, by the extra that `require_onnx` asks for.

The operator TreeEnsemble (ai.onnx.ml 5) takes float64, so thresholds (float32 here) and leaves are
copied exactly, a missing value follows `nodes_missing_value_tracks_true`, and trees are added in
float64. The copy differs only by the order of additions. The usual converter, skl2onnx, rounds
leaves to float32 and differs in the fifth digit, and by whole units for missing values.
A linear model is written as the same steps in float64, and also differs only by the order of
additions.

Input `features`: float32 (n, n_features), encoded as the manifest's columns say. Output
`predicted`: float64 (n, 1), or `probabilities`: float64 (n, n_classes). The file's metadata names
features and classes, in order, as JSON.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from registry.package import COLUMN_KINDS, Column, FlatForest, FlatLinear, Output, Predictor
from trainer.errors import TrainerError

OnnxNode = Any  # a NodeProto
# 5 is the first with TreeEnsemble; newer opsets would need newer runtimes.
OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
SUM = 1  # TreeEnsemble's aggregate_function


def export_onnx(
    predictor: Predictor,
    output: Output,
    *,
    columns: Sequence[Column],
    classes: Sequence[bool | int | str] = (),
) -> bytes:
    """Return the model as the content of an .onnx file; equal models give equal bytes."""
    name = "probabilities" if classes else "predicted"
    nodes = [
        helper.make_node("Cast", ["features"], ["wide"], to=TensorProto.DOUBLE),
        *_sum_nodes(predictor),
        *_output_nodes(predictor, output, name),
    ]
    taken = helper.make_tensor_value_info(
        "features", TensorProto.FLOAT, ["n", predictor.n_features]
    )
    given = helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", len(classes) or 1])
    graph = helper.make_graph(nodes, "model", [taken], [given])
    opsets = [helper.make_opsetid(domain, number) for domain, number in OPSETS.items()]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tunegate"
    )
    features = [
        name for column in columns for name in COLUMN_KINDS[column.kind].feature_names(column)
    ]
    helper.set_model_props(
        model, {"features": json.dumps(features), "classes": json.dumps(list(classes))}
    )
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _sum_nodes(predictor: Predictor) -> list[OnnxNode]:
    """Return the nodes from `wide`, the features in float64, to `sums`."""
    if isinstance(predictor, FlatForest):
        trees = _tree_attributes(predictor)
        return [helper.make_node("TreeEnsemble", ["wide"], ["sums"], domain="ai.onnx.ml", **trees)]
    if not isinstance(predictor, FlatLinear):
        raise TrainerError(f"a {predictor.kind} model has no ONNX copy", hint="leave out --onnx")
    return [
        *(_constant_node(name, array) for name, array in predictor.arrays().items()),
        helper.make_node("IsNaN", ["wide"], ["missing"]),
        helper.make_node("Where", ["missing", "fill", "wide"], ["known"]),
        helper.make_node("Sub", ["known", "center"], ["centered"]),
        helper.make_node("Div", ["centered", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "coefficient"], ["products"]),
        helper.make_node("Add", ["products", "intercept"], ["sums"]),
    ]


def _output_nodes(predictor: Predictor, output: Output, name: str) -> list[OnnxNode]:
    """Return the nodes for `finish`: from `sums` to the graph's output."""
    nodes = []
    last = "sums"
    if output.combine == "mean":
        nodes += [
            _constant_node("trees", [float(predictor.n_members)]),
            helper.make_node("Div", [last, "trees"], ["mean"]),
        ]
        last = "mean"
    if output.smooth:
        n_classes = predictor.n_outputs
        nodes += [
            _constant_node("vote", [1.0 / n_classes]),
            _constant_node("voters", [predictor.n_members + 1.0]),
            helper.make_node("Mul", [last, "trees"], ["votes"]),
            helper.make_node("Add", ["votes", "vote"], ["all_votes"]),
            helper.make_node("Div", ["all_votes", "voters"], [name]),
        ]
        return nodes
    if output.base:
        nodes += [
            _constant_node("base", list(output.base)),
            helper.make_node("Add", [last, "base"], ["raw"]),
        ]
        last = "raw"
    if output.link == "logistic":
        nodes += [helper.make_node("Sigmoid", [last], ["positive"]), _constant_node("one", [1.0])]
        nodes += [helper.make_node("Sub", ["one", "positive"], ["negative"])]
        return [*nodes, helper.make_node("Concat", ["negative", "positive"], [name], axis=1)]
    if output.link == "softmax":
        return [*nodes, helper.make_node("Softmax", [last], [name], axis=1)]
    if output.link == "expm1":
        nodes += [helper.make_node("Exp", [last], ["grown"]), _constant_node("one", [1.0])]
        return [*nodes, helper.make_node("Sub", ["grown", "one"], [name])]
    return [*nodes, helper.make_node("Identity", [last], [name])]


def _constant_node(name: str, values: Sequence[float] | NDArray[np.float64]) -> OnnxNode:
    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.asarray(values), name)
    )


def _tree_attributes(forest: FlatForest) -> dict[str, Any]:
    """Return TreeEnsemble's attributes.

    Its leaves add to one output each, so a tree is repeated for each output that it adds to.
    """
    parts = [_tree_arrays(forest, t, k) for t, k in _tree_output_pairs(forest)]
    sizes = np.cumsum(
        [[0, 0]] + [[len(part["feature"]), len(part["weight"])] for part in parts], axis=0
    )
    for part, (inner, leaf) in zip(parts, sizes, strict=False):
        for side in ("true", "false"):
            part[side] = part[side] + np.where(part[f"{side}_leaf"], leaf, inner)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n = len(joined["feature"])
    at_most = bytes(n)  # mode 0 is x <= split
    return {
        "aggregate_function": SUM,
        "n_targets": forest.value.shape[1],
        "tree_roots": sizes[:-1, 0].tolist(),
        "nodes_modes": helper.make_tensor("modes", TensorProto.UINT8, [n], at_most, raw=True),
        "nodes_featureids": joined["feature"].tolist(),
        "nodes_splits": numpy_helper.from_array(joined["split"], "splits"),
        "nodes_missing_value_tracks_true": joined["missing"].tolist(),
        "nodes_truenodeids": joined["true"].tolist(),
        "nodes_falsenodeids": joined["false"].tolist(),
        "nodes_trueleafs": joined["true_leaf"].tolist(),
        "nodes_falseleafs": joined["false_leaf"].tolist(),
        "leaf_targetids": joined["target"].tolist(),
        "leaf_weights": numpy_helper.from_array(joined["weight"], "weights"),
    }


def _tree_output_pairs(forest: FlatForest) -> list[tuple[int, int]]:
    """Return each (tree, output) for which the tree adds to the output, in the trees' order."""
    adds = np.logical_or.reduceat(forest.value != 0, forest.start[:-1], axis=0)
    adds[0] = True  # even a forest that adds nothing needs a tree
    return [(int(t), int(k)) for t, k in np.argwhere(adds)]


def _tree_arrays(forest: FlatForest, tree: int, target: int) -> dict[str, NDArray[Any]]:
    """Return one tree's inner nodes and leaves, each counted from its own first one."""
    nodes = np.arange(forest.start[tree], forest.start[tree + 1])
    leaf = forest.left[nodes] == nodes
    place = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    # A tree of one leaf becomes a decision between it and itself.
    inner = nodes[~leaf] if len(nodes) > 1 else nodes
    sides = {"true": forest.left[inner] - nodes[0], "false": forest.right[inner] - nodes[0]}
    # The copy adds in float64 also where the forest adds in float32.
    weight = forest.value[nodes[leaf], target].astype(np.float64)
    return {
        "feature": forest.feature[inner],
        "split": forest.threshold[inner].astype(np.float64),
        "missing": forest.missing_left[inner].astype(np.int64),
        **{side: place[child] for side, child in sides.items()},
        **{f"{side}_leaf": leaf[child].astype(np.int64) for side, child in sides.items()},
        "target": np.full(len(weight), target),
        "weight": weight,
    }
