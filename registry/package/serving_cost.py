"""What serving a package needs, computed from its arrays: memory, and time for a row.

The same package gives the same numbers on every machine, because a verdict holds them. They are
estimates, made to be compared with a limit: `tests/api/serving/test_serving_cost.py` holds the
memory against what is allocated, and `benchmarks/serving_cost.py` the time against what it takes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.package.forest import FlatForest
from registry.package.model_package import ModelPackage
from registry.package.predictor import Predictor

BASE_BYTES = 1 << 18  # decoders, schemas and answers of any model
COLUMN_BYTES = 8 << 10  # a column, in addition: its field in each protocol's schema
FEATURE_BYTES = 512  # an encoded feature: its category in schemas, tables and descriptions
TEXT_FACTOR = 8  # the objects that a byte of JSON becomes
NODE_BYTES = 44  # a node in numpy's kernel; in the C kernel it is 12
CHECK_BYTES = 80  # a node, for a while: its tree is checked, and sorted for the kernel
CELL_BYTES = 20  # a feature of a golden row, for a while
# Measured on one processor of 2 GHz with the C kernel, once the row is read from the request.
ROW_MICROSECONDS = 2.0
COLUMN_MICROSECONDS = 0.01
FEATURE_MICROSECONDS = 0.015
DECISION_MICROSECONDS = 0.01
PRODUCT_MICROSECONDS = 0.001  # of a linear model's row


class ServingCost(NamedTuple):
    """What a server needs for a package.

    Attributes:
        kept: bytes while it is served.
        loading: bytes more while it is loaded and verified, when the model before it still answers.
        microseconds: about what a row takes in the server's own code, on one processor.
    """

    kept: int
    loading: int
    microseconds: float

    @property
    def memory(self) -> int:
        """Bytes that a server must have free to load the package."""
        return self.kept + self.loading


def serving_cost(package: ModelPackage) -> ServingCost:
    """Compute what serving a package needs."""
    predictor = package.predictor
    columns = len(package.manifest.columns)
    arrays = [*predictor.arrays().values(), package.rows, package.rounded_rows]
    if package.residuals is not None:
        arrays.append(package.residuals)
    array_bytes = sum(array.nbytes for array in arrays)
    texts = max(0, package.size - array_bytes)  # of JSON, and the card
    kernel = _kernel_cost(predictor)
    kept = (
        BASE_BYTES
        + array_bytes
        + kernel.kept
        + columns * COLUMN_BYTES
        + predictor.n_features * FEATURE_BYTES
        + texts * TEXT_FACTOR
    )
    golden = len(package.golden.rows) * predictor.n_features * CELL_BYTES
    encoding = columns * COLUMN_MICROSECONDS + predictor.n_features * FEATURE_MICROSECONDS
    return ServingCost(
        kept=kept,
        loading=package.size + kernel.loading + golden,
        microseconds=ROW_MICROSECONDS + encoding + kernel.microseconds,
    )


def _kernel_cost(predictor: Predictor) -> ServingCost:
    """Return what the kernel adds: copies of a forest's nodes, and the arithmetic of a row."""
    if not isinstance(predictor, FlatForest):
        return ServingCost(0, 0, predictor.work * PRODUCT_MICROSECONDS)
    node_bytes = NODE_BYTES + 8 * predictor.value.shape[1]
    return ServingCost(
        kept=predictor.n_nodes * node_bytes,
        loading=predictor.n_nodes * CHECK_BYTES,
        microseconds=forest_microseconds(predictor),
    )


def forest_microseconds(forest: FlatForest) -> float:
    """Return about what the trees take for a row, by the C kernel."""
    return mean_decisions(forest) * DECISION_MICROSECONDS


def mean_decisions(forest: FlatForest) -> float:
    """Return the decisions of an average row: each tree's mean depth of a leaf, summed."""
    node = np.arange(forest.n_nodes)
    inner = forest.left != node
    tree = np.repeat(np.arange(forest.n_trees), np.diff(forest.start))
    leaves = np.bincount(tree[~inner], minlength=forest.n_trees)
    total = 0.0
    level: NDArray[np.int32] = forest.start[:-1]
    depth = 0
    while level.size:
        ended = level[~inner[level]]
        total += depth * float((1.0 / leaves[tree[ended]]).sum())
        level = level[inner[level]]
        level = np.concatenate([forest.left[level], forest.right[level]])
        depth += 1
    return total
