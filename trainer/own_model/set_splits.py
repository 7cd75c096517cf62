"""Writes a tree's tests of a category's number as tests of the category's 0/1 columns, exactly.

A split sends a set of categories to the left and the others to the right. The side that does not
hold unknown and missing categories, which have 0 in all columns, becomes a chain of tests, one a
category; each ends in a copy of that side's subtree, in which the category is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from registry.package import FlatForest
from registry.package.numpy_kernel import NamedArrays
from trainer.errors import TrainerError

MAX_NODES = 1_000_000
MAX_DEPTH = 500  # a subtree is copied by recursion
UNKNOWN = -1  # the place of a category that is missing or unknown
HALF = np.float32(0.5)
Sides = Mapping[int, bool]  # whether it goes left, by the category's encoded feature, and UNKNOWN


@dataclass(frozen=True, slots=True)
class SetSplit:
    """A node's split of one column: the column's first encoded feature, and who goes left."""

    column: int
    left: Sides


def expand_set_splits(
    forest: FlatForest, splits: Mapping[int, SetSplit], arrays: NamedArrays, *, n_features: int
) -> FlatForest:
    """Return a forest whose nodes in `splits` test 0/1 columns, and the others what `arrays` say.

    Raises:
        TrainerError: when the trees become larger than a package should be.
    """
    if forest.depth > MAX_DEPTH:
        raise TrainerError(
            f"a tree deeper than {MAX_DEPTH} on encoded categories cannot be packaged",
            hint="limit max_depth, or encode by a OneHotEncoder",
        )
    grower = _Grower(arrays, splits)
    start = [0]
    for root in forest.start[:-1].tolist():
        grower.grow(root, {})
        start.append(len(grower.origin))
    chosen = np.array(grower.origin)
    found = {name: arrays[name][chosen] for name in ("missing_left", "value")}
    found["start"] = np.array(start, dtype=np.int32)
    found["feature"] = np.array(grower.feature, dtype=np.int32)
    found["threshold"] = np.array(grower.threshold, dtype=np.float32)
    found["left"] = np.array(grower.left, dtype=np.int32)
    found["right"] = np.array(grower.right, dtype=np.int32)
    return FlatForest.from_arrays(found, n_features=n_features)


@dataclass(slots=True)
class _Grower:
    """New nodes, each with the old node that it came from."""

    arrays: NamedArrays
    splits: Mapping[int, SetSplit]
    origin: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    threshold: list[np.float32] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)

    def grow(self, node: int, known: Mapping[int, frozenset[int]]) -> int:
        """Copy a subtree; `known` has the categories that are possible there, by column."""
        left = int(self.arrays["left"][node])
        right = int(self.arrays["right"][node])
        split = self.splits.get(node)
        if split is not None:
            return self._chain(node, split, known)
        made = self._add(node, int(self.arrays["feature"][node]), self.arrays["threshold"][node])
        if left != node:
            self.left[made] = self.grow(left, known)
            self.right[made] = self.grow(right, known)
        return made

    def _chain(self, node: int, split: SetSplit, known: Mapping[int, frozenset[int]]) -> int:
        possible = known.get(split.column, frozenset(split.left))
        sides = {
            int(self.arrays["left"][node]): frozenset(c for c in possible if split.left[c]),
            int(self.arrays["right"][node]): frozenset(c for c in possible if not split.left[c]),
        }
        # Last is the side of unknown categories; of two sides, one is empty once one is known.
        *tested, last = sorted(
            (child for child in sides if sides[child]), key=lambda child: UNKNOWN in sides[child]
        )
        first = len(self.origin)
        before = -1
        for child in tested:
            for category in sorted(sides[child]):
                made = self._add(node, category, HALF)
                if before >= 0:
                    self.left[before] = made
                self.right[made] = self.grow(child, {**known, split.column: frozenset({category})})
                before = made
        rest = self.grow(last, {**known, split.column: sides[last]})
        if before >= 0:
            self.left[before] = rest
        return first

    def _add(self, node: int, feature: int, threshold: np.float32) -> int:
        made = len(self.origin)
        if made >= MAX_NODES:
            raise TrainerError(
                f"encoded categories make more than {MAX_NODES} nodes of the trees",
                hint="encode columns with many categories by a OneHotEncoder, or limit max_depth",
            )
        self.origin.append(node)
        self.feature.append(feature)
        self.threshold.append(threshold)
        self.left.append(made)
        self.right.append(made)
        return made
