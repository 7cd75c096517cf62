"""Packages that differ from a good one in rows, leaves or by damage; and a tiny one."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import Draft, FlatForest, ModelPackage, load_package, write_package


def stump(low: float = 1.0, high: float = 2.0) -> FlatForest:
    """Make a forest of one tree with one decision, `x <= 0.5`."""
    return FlatForest(
        start=np.array([0, 3], dtype=np.int32),
        feature=np.zeros(3, dtype=np.int32),
        threshold=np.array([0.5, 0, 0], dtype=np.float32),
        left=np.array([1, 1, 2], dtype=np.int32),
        right=np.array([2, 1, 2], dtype=np.int32),
        missing_left=np.zeros(3, dtype=bool),
        value=np.array([[0.0], [low], [high]]),
        n_features=1,
    )


def complete_forest(n_trees: int, depth: int, n_features: int) -> FlatForest:
    """Make a forest of complete binary trees, with random features, thresholds and leaves."""
    rng = np.random.default_rng(0)
    node = np.arange(2 ** (depth + 1) - 1)
    inner = node < 2**depth - 1
    n = n_trees * len(node)
    tree = np.repeat(np.arange(n_trees) * len(node), len(node))
    is_inner = np.tile(inner, n_trees)
    return FlatForest(
        start=np.arange(0, n + 1, len(node), dtype=np.int32),
        feature=np.where(is_inner, rng.integers(0, n_features, n), 0).astype(np.int32),
        threshold=np.where(is_inner, rng.random(n), 0).astype(np.float32),
        left=(tree + np.tile(np.where(inner, 2 * node + 1, node), n_trees)).astype(np.int32),
        right=(tree + np.tile(np.where(inner, 2 * node + 2, node), n_trees)).astype(np.int32),
        missing_left=np.zeros(n, dtype=bool),
        value=np.where(is_inner, 0, rng.random(n))[:, None],
        n_features=n_features,
    )


def tiny(folder: Path, *, low: float = 1.0, **manifest: Any) -> ModelPackage:  # noqa: ANN401 - fields of several types
    """Write a package of one stump; `low`, its answer to x = 0.25, tells one from another."""
    fields: dict[str, Any] = {
        "name": "toy",
        "task": "regression",
        "target": "y",
        "prediction": "predicted_y",
        "columns": [
            {"name": "x", "kind": "numeric", "minimum": 0.0, "maximum": 1.0, "typical": 0.25}
        ],
        "metric": "mse",
        "algorithm": "random_forest",
        "parameters": {},
        "seed": 0,
        "target_range": (0.0, 100.0),
        "training_rows": 2,
        "fingerprint": "0" * 64,
        "holdout": "1" * 64,
        "cross_validation": {"metric": "mse", "score": 1.5, "folds": (1.0, 2.0), "seed": 0},
        "versions": {},
        "provenance": {"experiment": "toy", "trial": folder.name},
        **manifest,
    }
    name = fields["columns"][0]["name"]
    rows = np.array([1, 2], dtype=np.uint64)
    write_package(folder, Draft(fields, stump(low), rows, [{name: 0.25}, {name: 0.75}], "a card"))
    return load_package(folder)


def variant(
    package: ModelPackage,
    folder: Path,
    *,
    forest: FlatForest | None = None,
    rows: NDArray[np.uint64] | None = None,
    golden: Sequence[Mapping[str, Any]] = (),
    **manifest: Any,  # noqa: ANN401 - fields of several types
) -> ModelPackage:
    """Write a copy with another forest, other rows or manifest fields; it verifies."""
    fields = {**package.manifest.to_dict(), **manifest}
    if "columns" in manifest:  # it says where the rows of the old columns fell
        fields["reference"] = ()
    chosen = package.rows if rows is None else rows
    golden_rows = golden or package.golden.rows
    pairs = package.residuals
    if fields["task"] != package.manifest.task:  # they say nothing about another task
        fields["interval"] = pairs = None
    write_package(
        folder,
        Draft(fields, forest or package.forest, chosen, golden_rows, "a card", residuals=pairs),
    )
    return load_package(folder)


def with_onnx(package: ModelPackage, folder: Path, content: bytes) -> ModelPackage:
    """Write a copy that has a file for other servers; nothing of ours reads what it holds."""
    fields = package.manifest.to_dict()
    golden = package.golden.rows
    write_package(
        folder, Draft(fields, package.forest, package.rows, golden, "a card", onnx=content)
    )
    return load_package(folder)


def scaled(package: ModelPackage, factor: float) -> FlatForest:
    """Return the package's forest with every leaf multiplied."""
    arrays = {**package.forest.arrays(), "value": package.forest.value * factor}
    return FlatForest.from_arrays(arrays, n_features=package.forest.n_features)


def damaged(package: ModelPackage, target: Path) -> Path:
    """Write a copy with one bit of the forest flipped; it does not verify."""
    shutil.copytree(package.path, target)
    flip_bit(target)
    return target


def flip_bit(folder: Path) -> None:
    """Damage the package in this folder; a second call repairs it."""
    model = folder / "model.npz"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
