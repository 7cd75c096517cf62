"""Forged arrays never mislead a traversal: they are refused, or every row ends on a leaf."""

from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray
from support.fuzzing import examples
from support.registry.kernels import traversals

from registry import PackageError
from registry.package import FlatForest

Arrays = dict[str, NDArray[Any]]
FEATURES = 2
ROWS = np.array(
    [
        [0, 0],
        [1, -1],
        [np.nan, 0.5],
        [np.nan, np.nan],
        [np.inf, -np.inf],
        [3e38, 1e-45],
        [-0.0, 0.0],
    ],
    dtype=np.float32,
)
EDGES = [-(2**31), -(2**30), -2, -1, 0, 1, 2, 3, 7, 8, 2**30, 2**31 - 1]
SPECIAL = {
    np.dtype(np.int32): st.sampled_from(EDGES),
    np.dtype(np.float32): st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 3e38]),
    np.dtype(np.float64): st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 1e308]),
    np.dtype(np.bool_): st.booleans(),
}


def grow_tree(draw: st.DrawFn, *, most_splits: int) -> list[tuple[int, int]]:
    """Grow one tree by splitting any leaf, or always the last; return each node's children."""
    children = [(0, 0)]
    leaves = [0]
    lopsided = draw(st.booleans())
    for _ in range(draw(st.integers(0, most_splits))):
        leaf = leaves.pop(-1 if lopsided else draw(st.integers(0, len(leaves) - 1)))
        new = len(children)
        children[leaf] = (new, new + 1)
        children += [(new, new), (new + 1, new + 1)]
        leaves += [new, new + 1]
    return children


def numbered(draw: st.DrawFn, children: list[tuple[int, int]], first: int) -> list[tuple[int, int]]:
    """Number the nodes from `first` on in any order in which children come after their parent."""
    random = draw(st.randoms(use_true_random=False))
    order = []
    seen = [0]
    while seen:
        node = seen.pop(random.randrange(len(seen)))
        order.append(node)
        seen += [child for child in children[node] if child != node]
    number = {node: first + at for at, node in enumerate(order)}
    return [(number[children[node][0]], number[children[node][1]]) for node in order]


@st.composite
def sound_arrays(draw: st.DrawFn, *, most_splits: int = 4) -> Arrays:
    """Put one tree after the other."""
    start = [0]
    nodes = []
    for _ in range(draw(st.integers(1, 3))):
        nodes += numbered(draw, grow_tree(draw, most_splits=most_splits), len(nodes))
        start.append(len(nodes))
    left, right = zip(*nodes, strict=True)
    n = len(nodes)
    outputs = draw(st.sampled_from([1, 2, 9]))
    return {
        "start": np.array(start, dtype=np.int32),
        "feature": draw(arrays_of.arrays(np.int32, n, elements=st.integers(0, FEATURES - 1))),
        "threshold": draw(
            arrays_of.arrays(
                np.float32, n, elements=st.sampled_from([-np.inf, -1.0, 0.0, 0.5, np.inf])
            )
        ),
        "left": np.array(left, dtype=np.int32),
        "right": np.array(right, dtype=np.int32),
        "missing_left": draw(arrays_of.arrays(np.bool_, n)),
        "value": draw(
            arrays_of.arrays(np.float64, (n, outputs), elements=st.floats(-1e9, 1e9))
        ).astype(draw(st.sampled_from([np.float64, np.float32]))),
    }


@st.composite
def forged_arrays(draw: st.DrawFn) -> Arrays:
    """Change a few cells of sound arrays, or the arrays themselves."""
    arrays = draw(sound_arrays())
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(arrays)))
        array = arrays[name]
        at = draw(st.integers(0, array.size - 1)) if array.size else 0
        match draw(st.integers(0, 9)):
            case 0:
                arrays[name] = draw(
                    st.sampled_from(
                        [array[:-1], array[::2], array.ravel(), array[..., None], array.T]
                    )
                )
            case 1:
                arrays[name] = np.ones(
                    array.shape, draw(st.sampled_from([np.int64, np.float32, np.complex64, "S4"]))
                )
            case 2:
                arrays[name] = draw(
                    arrays_of.arrays(array.dtype, array.shape, elements=SPECIAL.get(array.dtype))
                )
            case _ if array.dtype in SPECIAL and array.size:
                array.flat[at] = draw(SPECIAL[array.dtype])
    return arrays


def traverse(forest: FlatForest, tree: int, row: NDArray[np.float32]) -> NDArray[np.floating]:
    """Follow one row through one tree, a step at a time, and check each step."""
    node = int(forest.start[tree])
    end = int(forest.start[tree + 1])
    while not forest.left[node] == forest.right[node] == node:
        seen = row[forest.feature[node]]
        go_left = forest.missing_left[node] if np.isnan(seen) else seen <= forest.threshold[node]
        child = int(forest.left[node] if go_left else forest.right[node])
        assert node < child < end
        node = child
    return forest.value[node]


def assert_every_walk_ends_on_a_leaf(forest: FlatForest) -> None:
    sums = forest.sums(ROWS)
    assert np.isfinite(sums).all()
    without_gaps = ~np.isnan(ROWS).any(axis=1)
    for kernel in traversals(forest):
        assert np.array_equal(kernel.sums(ROWS), sums)
        assert np.array_equal(kernel.sums(ROWS[without_gaps]), sums[without_gaps])
        assert np.array_equal([kernel.sums_row(row.tobytes()) for row in ROWS], sums)
    for row, total in zip(ROWS, sums, strict=True):
        expected = np.zeros(len(total), dtype=forest.value.dtype)
        for tree in range(forest.n_trees):
            expected += traverse(forest, tree, row)
        assert np.array_equal(total, expected)


@settings(max_examples=examples(100), deadline=None)
@given(arrays=sound_arrays(most_splits=30))
def test_sound_arrays_make_a_forest(arrays: Arrays) -> None:
    assert_every_walk_ends_on_a_leaf(FlatForest.from_arrays(arrays, n_features=FEATURES))


@settings(max_examples=examples(400), deadline=None)
@given(arrays=forged_arrays())
def test_forged_arrays_are_refused_or_make_a_forest(arrays: Arrays) -> None:
    try:
        forest = FlatForest.from_arrays(arrays, n_features=FEATURES)
    except PackageError:
        event("refused")
    else:
        event("made a forest")
        assert_every_walk_ends_on_a_leaf(forest)


@settings(max_examples=examples(200), deadline=None)
@given(
    start=st.lists(st.sampled_from([*EDGES, 4, 5]), max_size=6),
    left=st.lists(st.sampled_from(EDGES), min_size=3, max_size=3),
    right=st.lists(st.sampled_from(EDGES), min_size=3, max_size=3),
)
def test_no_numbers_make_the_check_itself_fail_or_grow(
    start: list[int], left: list[int], right: list[int]
) -> None:
    zeros = np.zeros(3, dtype=np.int32)
    indices = {"start": start, "left": left, "right": right}
    arrays = {name: np.array(numbers, dtype=np.int32) for name, numbers in indices.items()}
    more = {
        "threshold": zeros.astype(np.float32),
        "missing_left": zeros.astype(np.bool_),
        "value": np.ones((3, 1)),
    }
    try:
        forest = FlatForest.from_arrays({**arrays, **more, "feature": zeros}, n_features=FEATURES)
    except PackageError:
        return
    assert_every_walk_ends_on_a_leaf(forest)
