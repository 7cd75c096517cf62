"""How trees lie in memory where the C kernel walks them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from registry.package.numpy_kernel import NamedArrays

NODE = np.dtype([("threshold", np.float32), ("feature", np.uint32), ("left", np.uint32)])
LEAF = np.array((np.inf, 1, 0), dtype=NODE)  # nothing goes right, not even missing values
QUESTION = np.dtype([("threshold", np.float32), ("feature", np.uint32)])


class PackedLevels(NamedTuple):
    """Trees whose nodes of a level all ask the same question: a tree of depth d is d questions.

    Attributes:
        questions: `QUESTION` of the trees, one after the other, from the root.
        depths: int32 (n_trees,), questions of each.
        values: float64 (n_leaves, n_outputs), from left to right, tree after tree.
        single: whether sums are rounded to float32.
    """

    questions: NDArray[Any]
    depths: NDArray[np.int32]
    values: NDArray[np.float64]
    single: bool


def pack_levels(arrays: NamedArrays) -> PackedLevels | None:
    """Pack trees that are symmetric, as CatBoost's are; None where one is not."""
    start, left, right, threshold = (
        arrays[name] for name in ("start", "left", "right", "threshold")
    )
    feature = arrays["feature"].astype(np.uint32) * 2 + arrays["missing_left"]
    tree = np.arange(len(start) - 1)  # those that walk on
    level = start[:-1, None]  # their nodes of one depth, from left to right
    depths = np.zeros(len(tree), dtype=np.int32)
    asking = []  # pairs: trees, and their nodes
    answering = []  # the same
    while len(tree):
        leaf = left[level] == level
        ends = leaf[:, 0]
        if (leaf != leaf[:, :1]).any():
            return None
        answering.append((np.repeat(tree[ends], level.shape[1]), level[ends].ravel()))
        tree = tree[~ends]
        level = level[~ends]
        first = level[:, :1]
        if ((feature[level] != feature[first]) | (threshold[level] != threshold[first])).any():
            return None
        asking.append((tree, first[:, 0]))
        depths[tree] += 1
        children = np.stack([left[level], right[level]], axis=2)
        level = children.reshape(len(tree), 2 * level.shape[1])
    asked = _by_tree(asking)
    questions = np.empty(len(asked), dtype=QUESTION)
    questions["threshold"] = threshold[asked]
    questions["feature"] = feature[asked]
    value = arrays["value"]
    values = value[_by_tree(answering)].astype(np.float64)
    return PackedLevels(questions, depths, values, single=value.dtype == np.float32)


def _by_tree(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> NDArray[Any]:
    """Return all nodes, tree after tree, in the order in which each tree's are given."""
    tree, node = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    found: NDArray[Any] = node[np.argsort(tree, kind="stable")]
    return found


def pack_nodes(
    arrays: NamedArrays,
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float64]]:
    """Renumber the nodes so that siblings are neighbours; return packed nodes, roots and values.

    A tree whose inner nodes are i[0] < i[1] < ... keeps its position and its root; then come the
    children of i[0], those of i[1], and so on. Every node but the root is a child, and its parent
    comes before it, so this fills the tree exactly and children stay after their parents. A leaf is
    its own left child, 0 nodes further on. All returned arrays are copies.
    """
    start, left, right = (arrays[name] for name in ("start", "left", "right"))
    inner = (left != np.arange(len(left))).nonzero()[0]
    tree = np.repeat(np.arange(len(start) - 1), np.diff(start) // 2)
    # Before it are a pair for each earlier inner node, and a root for each tree.
    child = 2 * np.arange(len(inner)) + 1 + tree
    place = np.empty(len(left), dtype=np.intp)
    place[start[:-1]] = start[:-1]
    place[left[inner]] = child
    place[right[inner]] = child + 1
    nodes = np.full(len(left), LEAF, dtype=NODE)
    at = place[inner]
    nodes["threshold"][at] = arrays["threshold"][inner]
    nodes["left"][at] = child - at
    nodes["feature"][at] = (
        arrays["feature"][inner].astype(np.uint32) * 2 + arrays["missing_left"][inner]
    )
    values = np.empty(arrays["value"].shape)
    values[place] = arrays["value"]
    return nodes, start[:-1].copy(), values
