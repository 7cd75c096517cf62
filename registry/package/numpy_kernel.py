"""Sums with numpy alone, for machines on which the C kernel was not built.

In a forest, all pairs of an input row and a tree descend together, one level a step. A step's cost
is numpy's calls and memory. Therefore: nodes 2i and 2i + 1 are the same node, so that the next
child is one sum and one look-up; a block has few enough rows for the processor's cache; and
traversals that have ended are dropped on the way.
"""

from collections.abc import Mapping, Sequence
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

NamedArrays = Mapping[str, NDArray[Any]]  # see `registry.package.forest` and `.linear`
CELLS_AT_ONCE = 1 << 14
LOOK_EVERY = 4  # steps; finding the traversals that have ended costs about one step
# Of the exponential, as in kernel.c: log 2 is split, so that whole multiples of it are exact.
LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LOG_2 = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
TO_WHOLE = 1.5 * 2.0**52  # a sum with it has no binary places
TAYLOR = [1.0 / factorial(n) for n in range(12, 1, -1)]  # after 1/13!
EXP_REACH = (-746.0, 710.0)  # beyond are 0 and infinity


class NumpyTraversal:
    """The trees, prepared once; its arguments were checked, see `registry.package.kernel`."""

    def __init__(self, arrays: NamedArrays, *, n_features: int, depth: int) -> None:
        left = arrays["left"]
        right = arrays["right"]
        self._n_features = n_features
        self._depth = depth
        self._roots = 2 * arrays["start"][:-1].astype(np.intp)
        self._child = 2 * np.column_stack([left, right]).astype(np.intp).ravel()
        self._feature = np.repeat(arrays["feature"].astype(np.intp), 2)
        self._threshold = np.repeat(arrays["threshold"], 2)
        self._missing_right = np.repeat(~arrays["missing_left"], 2)
        self._inner = np.repeat(left != right, 2)
        self._value = arrays["value"].copy()

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: D102 - see RowSums
        step = max(1, CELLS_AT_ONCE // len(self._roots))
        parts = [self._sum_rows(x[i : i + step]) for i in range(0, len(x), step)]
        if parts:
            return np.concatenate(parts)
        return np.empty((0, self._value.shape[1]))

    def row_predictor(self, *_: object) -> None:  # noqa: D102 - see RowSums
        return None

    def sums_row(self, row: bytes) -> Sequence[float]:  # noqa: D102 - see RowSums
        x = np.frombuffer(row, dtype=np.float32)
        if np.isnan(x).any():
            leaves = self._find_leaves(x[None, :])
        else:
            leaves = self._find_leaves_of_row(x)
        return tuple(self._add_leaves(leaves[None, :])[0].tolist())

    def _sum_rows(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._add_leaves(self._find_leaves(x).reshape(len(x), -1))

    def _add_leaves(self, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        # accumulate adds strictly in order, in the leaves' own type; np.sum would add pairwise and
        # differ in the last bit. scikit-learn starts with 0.0.
        total: NDArray[np.float64] = 0.0 + np.add.accumulate(self._value[leaves], axis=1)[:, -1]
        return total.astype(np.float64, copy=False)

    def _find_leaves_of_row(self, x: NDArray[np.float32]) -> NDArray[np.intp]:
        # A hundred traversals are too few to drop some: the calls cost more than the numbers.
        node = self._roots
        child = self._child.take
        feature = self._feature.take
        threshold = self._threshold.take
        seen = x.take
        for step in range(1, self._depth + 1):
            node = child(node + (seen(feature(node)) > threshold(node)))
            if step % LOOK_EVERY == 0 and not self._inner.take(node).any():
                break
        return node // 2

    def _find_leaves(self, x: NDArray[np.float32]) -> NDArray[np.intp]:
        cells = x.ravel()
        missing = bool(np.isnan(x).any())
        node = np.tile(self._roots, len(x))
        row = np.repeat(np.arange(0, x.size, self._n_features), len(self._roots))
        leaves = node.copy()
        active = np.arange(len(node))
        for step in range(1, self._depth + 1):
            seen = cells.take(self._feature.take(node) + row)
            go_right = seen > self._threshold.take(node)
            if missing:
                go_right |= np.isnan(seen) & self._missing_right.take(node)
            node = self._child.take(node + go_right)
            if step % LOOK_EVERY == 0:
                leaves[active] = node
                unfinished = self._inner.take(node).nonzero()[0]
                node = node.take(unfinished)
                row = row.take(unfinished)
                active = active.take(unfinished)
        leaves[active] = node
        return leaves // 2


class NumpyLinear:
    """A linear model's arrays; its arguments were checked, see `registry.package.kernel`."""

    def __init__(self, arrays: NamedArrays) -> None:
        self._fill = arrays["fill"].copy()
        self._center = arrays["center"].copy()
        self._scale = arrays["scale"].copy()
        self._coefficient = arrays["coefficient"].copy()
        self._intercept = arrays["intercept"].copy()

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: D102 - see RowSums
        step = max(1, CELLS_AT_ONCE // self._coefficient.size)
        parts = [self._sum_rows(x[i : i + step]) for i in range(0, len(x), step)]
        if parts:
            return np.concatenate(parts)
        return np.empty((0, len(self._intercept)))

    def row_predictor(self, *_: object) -> None:  # noqa: D102 - see RowSums
        return None

    def sums_row(self, row: bytes) -> Sequence[float]:  # noqa: D102 - see RowSums
        x = np.frombuffer(row, dtype=np.float32)
        return tuple(self._sum_rows(x[None, :])[0].tolist())

    @np.errstate(invalid="ignore")  # infinite values, as in C
    def _sum_rows(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        known = np.where(np.isnan(x), self._fill, x.astype(np.float64))
        z = (known - self._center) / self._scale
        terms = z[:, :, None] * self._coefficient
        # Strictly in the features' order, beginning with 0.0; np.sum would add pairwise.
        total: NDArray[np.float64] = 0.0 + np.add.accumulate(terms, axis=1)[:, -1]
        return total + self._intercept


def exponential(x: NDArray[np.float64], *, minus_one: bool) -> NDArray[np.float64]:
    """Return exp(x), or exp(x) - 1, of any shape, by the steps of kernel.c and with its bits.

    numpy's own differ in the last bit between processors.
    """
    within = np.where(x >= EXP_REACH[0], np.minimum(x, EXP_REACH[1]), EXP_REACH[0])
    k = (within * LOG2_E + TO_WHOLE) - TO_WHOLE
    r = (within - k * LOG_2[0]) - k * LOG_2[1]
    q = np.full_like(r, 1.0 / factorial(13))
    for coefficient in TAYLOR:
        q = q * r + coefficient
    p = r + (r * r) * q
    half = (k.astype(np.int64) + 2048) // 2 - 1024  # 2^k itself may be beyond float64
    first = np.ldexp(1.0, half)
    second = np.ldexp(1.0, k.astype(np.int64) - half)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = ((1.0 + p) * first) * second
        if minus_one:
            power = first * second
            found = np.where(k < 64, power * p + (power - 1.0), found)  # noqa: PLR2004 - as kernel.c
    return np.where(np.isnan(x), x, found)
