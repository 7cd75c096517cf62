"""One tree's arrays, and how many trees become a flat forest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatForest

LEAF = -1


@dataclass(frozen=True, slots=True, eq=False)
class TreeNodes:
    """One tree's arrays (see `FlatForest`), children counted from its own root, -1 at leaves.

    `value` is float64, or float32 where the library adds leaves in float32.
    """

    left: NDArray[np.integer]
    right: NDArray[np.integer]
    feature: NDArray[np.integer]
    threshold: NDArray[np.float32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.floating]

    @classmethod
    def leaf(cls, value: NDArray[np.floating]) -> "TreeNodes":
        """Return a tree that adds the same to every row: value is (n_outputs,).

        As the first tree of a sum it is the base with which the library begins.
        """
        return cls(
            left=np.array([LEAF]),
            right=np.array([LEAF]),
            feature=np.zeros(1, dtype=np.int64),
            threshold=np.zeros(1, dtype=np.float32),
            missing_left=np.zeros(1, dtype=np.bool_),
            value=value[None, :],
        )

    def arrays_from(self, start: int) -> dict[str, NDArray[Any]]:
        """Return the node arrays of a flat forest, for a tree that begins at `start`."""
        leaf = self.left == LEAF
        own = np.arange(start, start + len(leaf))
        value = np.where(leaf[:, None], self.value, np.zeros_like(self.value))
        return {
            "feature": np.where(leaf, 0, self.feature).astype(np.int32),
            "threshold": np.where(leaf, 0, self.threshold).astype(np.float32),
            "left": np.where(leaf, own, self.left + start).astype(np.int32),
            "right": np.where(leaf, own, self.right + start).astype(np.int32),
            "missing_left": self.missing_left & ~leaf,
            "value": value,
        }


def join_trees(trees: Sequence[TreeNodes], n_features: int) -> FlatForest:
    """Return trees, in order, as one forest."""
    start = np.cumsum([0, *(len(tree.left) for tree in trees)]).astype(np.int32)
    parts = [tree.arrays_from(int(at)) for tree, at in zip(trees, start, strict=False)]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return FlatForest.from_arrays({"start": start, **arrays}, n_features=n_features)


def round_down(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 not above each threshold; no `x32 <= t` changes by that."""
    with np.errstate(over="ignore"):  # beyond float32: every finite value is below it
        nearest = threshold.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > threshold, below, nearest).astype(np.float32)


def in_column(values: NDArray[np.floating], column: int, n_outputs: int) -> NDArray[np.floating]:
    """Return (n, n_outputs) with values (n,) in one column, as a tree of one class adds them."""
    placed = np.zeros((len(values), n_outputs), dtype=values.dtype)
    placed[:, column] = values
    return placed
