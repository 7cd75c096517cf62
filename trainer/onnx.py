"""A copy of the model for other servers: ONNX, built from the predictor's own arrays.

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
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import (
    COLUMN_KINDS,
    Column,
    FlatForest,
    FlatLinear,
    Output,
    Predictor,
    predict_encoded,
)
from trainer.errors import TrainerError

OnnxNode = Any  # a NodeProto of onnx, which is an extra
LIBRARIES = ("onnx", "onnxruntime")
# 5 is the first with TreeEnsemble; newer opsets would need newer runtimes.
OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
SUM = 1  # TreeEnsemble's aggregate_function
ROWS = 250  # of each kind to compare on
MISSING_SHARE = 0.3  # of the cells in rows with gaps
TOLERANCE = 1e-9  # relative; additions in another order stay far below, anything else far above
FLOAT32_TOLERANCE = 1e-5  # where the forest adds in float32, and the copy in float64


def require_onnx() -> dict[str, str]:
    """Return the versions of the libraries.

    Raises:
        TrainerError: when one is not installed.
    """
    for name in LIBRARIES:
        try:
            import_module(name)
        except ImportError as error:
            hint = "pip install 'tunegate[onnx]'"
            raise TrainerError(f"--onnx: the package {name} is not installed", hint=hint) from error
    return {name: version(name) for name in LIBRARIES}


def export_onnx(
    predictor: Predictor,
    output: Output,
    *,
    columns: Sequence[Column],
    classes: Sequence[bool | int | str] = (),
) -> bytes:
    """Return the model as the content of an .onnx file; equal models give equal bytes."""
    from onnx import TensorProto, checker, helper  # noqa: PLC0415 - an optional extra

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


def largest_error(content: bytes, predictor: Predictor, output: Output) -> float:
    """Return the largest difference between the predictions of the copy and of the package.

    They are compared on random rows, on the thresholds of trees, and with missing values.

    Raises:
        TrainerError: when they differ by more than another order of additions explains.
    """
    rows = _comparison_rows(predictor)
    wanted = predict_encoded(predictor, output, rows)
    answers = _run_onnx(content, rows)
    tolerance = TOLERANCE
    if isinstance(predictor, FlatForest) and predictor.value.dtype == np.float32:
        tolerance = FLOAT32_TOLERANCE
    least = tolerance + predictor.rounding(rows).max(axis=1, keepdims=True)
    if answers.shape != wanted.shape or not np.allclose(
        answers, wanted, rtol=tolerance, atol=least
    ):
        raise TrainerError(
            "model.onnx does not answer as the model does", hint="leave out --onnx, and report it"
        )
    return float(np.abs(answers - wanted).max())


def _run_onnx(content: bytes, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    runtime: Any = import_module("onnxruntime")  # it has no types
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # several would add in any order, and the card would change
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    answers: NDArray[np.float64] = session.run(None, {"features": rows})[0]
    return answers


def _comparison_rows(predictor: Predictor) -> NDArray[np.float32]:
    """Return rows on thresholds, between them, and with gaps: float32 (4 ROWS + 1, n_features).

    Of a linear model they are rows around its columns' means.
    """
    rng = np.random.default_rng(0)
    if isinstance(predictor, FlatForest):
        on = _threshold_rows(predictor, rng)
    else:
        on = _scaled_rows(predictor, rng)
    between = (on + rng.permutation(on)) / np.float32(2)
    whole = np.vstack([on, between])
    missing = rng.random(whole.shape) < MISSING_SHARE
    gaps = np.where(missing, np.float32(np.nan), whole)
    return np.vstack([whole, gaps, np.full((1, whole.shape[1]), np.nan)]).astype(np.float32)


def _scaled_rows(predictor: Predictor, rng: np.random.Generator) -> NDArray[np.float32]:
    arrays = predictor.arrays()
    spread = rng.normal(size=(ROWS, predictor.n_features))
    return (arrays["center"] + arrays["scale"] * spread).astype(np.float32)


def _threshold_rows(forest: FlatForest, rng: np.random.Generator) -> NDArray[np.float32]:
    on = np.empty((ROWS, forest.n_features), dtype=np.float32)
    inner = forest.left != np.arange(forest.n_nodes)
    for feature in range(forest.n_features):
        own = forest.threshold[inner & (forest.feature == feature) & np.isfinite(forest.threshold)]
        on[:, feature] = rng.choice(own, ROWS) if own.size else 0
    return on


def _sum_nodes(predictor: Predictor) -> list[OnnxNode]:
    """Return the nodes from `wide`, the features in float64, to `sums`."""
    from onnx import helper  # noqa: PLC0415 - an extra

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
    from onnx import helper  # noqa: PLC0415 - an extra

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
    from onnx import helper, numpy_helper  # noqa: PLC0415 - an extra

    return helper.make_node(
        "Constant", [], [name], value=numpy_helper.from_array(np.asarray(values), name)
    )


def _tree_attributes(forest: FlatForest) -> dict[str, Any]:
    """Return TreeEnsemble's attributes.

    Its leaves add to one output each, so a tree is repeated for each output that it adds to.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an extra

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
