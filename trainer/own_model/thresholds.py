"""Moves a forest's thresholds from what the last step sees to the encoded features, exactly.

A step's function rises, so the values on the left of a threshold are all up to some float32. That
one is found by bisection over the float32 numbers, with the step's own arithmetic.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatForest
from trainer.own_model.features import Feature
from trainer.own_model.set_splits import SetSplit, expand_set_splits

INFINITY = 0x7F800000  # the bits of float32's infinity: one more than those of its largest number


def move_thresholds(
    forest: FlatForest,
    features: Sequence[Feature],
    categories: Mapping[int, frozenset[int]],
    *,
    n_features: int,
) -> FlatForest:
    """Return a forest that decides on encoded features as this one does on what is made of them.

    Args:
        forest: its features are those of the last step, which reads them as float32.
        features: what each of them is made of.
        categories: see `Learner.left_categories`.
        n_features: width of the encoding.

    Raises:
        TrainerError: when categories that became numbers make the trees too large.
    """
    arrays = {name: array.copy() for name, array in forest.arrays().items()}
    inner = forest.left != np.arange(forest.n_nodes)
    splits = dict[int, SetSplit]()
    for index, feature in enumerate(features):
        nodes = np.flatnonzero(inner & (forest.feature == index))
        threshold = forest.threshold[nodes]
        if feature.codes is not None:
            splits |= {
                node: _set_split(forest, node, feature, categories.get(node))
                for node in nodes.tolist()
            }
            continue
        arrays["feature"][nodes] = feature.source
        arrays["threshold"][nodes] = _largest_left(feature, threshold)
        missing = np.float32(feature.value(np.array([np.nan]))[0])
        if not np.isnan(missing):
            arrays["missing_left"][nodes] = missing <= threshold
    if splits:
        return expand_set_splits(forest, splits, arrays, n_features=n_features)
    return FlatForest.from_arrays(arrays, n_features=n_features)


def _set_split(
    forest: FlatForest, node: int, feature: Feature, to_left: frozenset[int] | None
) -> SetSplit:
    """Return which categories of a feature's column go left at a node; `to_left` has their codes.

    Without it those do whose number is not above the node's threshold.
    """
    codes = feature.codes or {}
    with np.errstate(over="ignore", invalid="ignore"):
        seen = feature.value(np.array(list(codes.values()))).astype(np.float32)
    left = seen <= forest.threshold[node] if to_left is None else np.isin(seen, list(to_left))
    left = np.where(np.isnan(seen), forest.missing_left[node], left)
    return SetSplit(feature.source, dict(zip(codes, left.tolist(), strict=True)))


def _largest_left(feature: Feature, threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest float32 that goes left at each threshold; -inf where none does."""
    low = np.full(len(threshold), -INFINITY, dtype=np.int64)  # -inf: goes left, or nothing does
    high = np.full(len(threshold), INFINITY, dtype=np.int64)
    for _ in range(33):  # halves 2^32 numbers
        middle = (low + high + 1) // 2
        left = _seen(feature, _to_float(middle)) <= threshold
        low = np.where(left, middle, low)
        high = np.where(left, high, np.maximum(low, middle - 1))
    return _to_float(low)


@np.errstate(over="ignore", invalid="ignore")
def _seen(feature: Feature, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return feature.value(x.astype(np.float64)).astype(np.float32)


def _to_float(order: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the float32 with each place in the order of all of them; 0 is the place of 0.0."""
    size = np.abs(order).astype(np.uint32).view(np.float32)
    return np.where(order < 0, -size, size).astype(np.float32)
