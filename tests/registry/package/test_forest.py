import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.registry.packages import forest, node_arrays

from registry import PackageError
from registry.package import FlatForest, kernel
from registry.package import forest as module
from registry.package import numpy_kernel as walk

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(params=["c", "numpy"])
def _each_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build forests for this kernel."""
    if request.param == "numpy":
        monkeypatch.setattr(kernel, "_library", None)
    elif kernel.KERNEL == "numpy":
        pytest.skip("the C kernel was not built")


each_kernel = pytest.mark.usefixtures("_each_kernel")


def forest_rows(*values: list[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def leaf_values(values: list[float]) -> FlatForest:
    """Trees of one leaf each: every row gets all the values."""
    n = len(values)
    own = np.arange(n, dtype=np.int32)
    zeros = np.zeros(n, dtype=np.int32)
    return FlatForest(
        start=np.arange(n + 1, dtype=np.int32),
        feature=zeros,
        threshold=zeros.astype(np.float32),
        left=own,
        right=own,
        missing_left=zeros.astype(np.bool_),
        value=np.array(values, dtype=np.float64)[:, None],
        n_features=1,
    )


def stumps(n: int, rng: np.random.Generator) -> FlatForest:
    """Trees of one decision each."""
    root = np.arange(0, 3 * n, 3, dtype=np.int32)
    left, right = (np.arange(3 * n, dtype=np.int32) for _ in range(2))
    left[root] = root + 1
    right[root] = root + 2
    return FlatForest(
        start=np.append(root, 3 * n).astype(np.int32),
        feature=np.zeros(3 * n, dtype=np.int32),
        threshold=rng.normal(size=3 * n).astype(np.float32),
        left=left,
        right=right,
        missing_left=np.zeros(3 * n, dtype=np.bool_),
        value=rng.normal(size=(3 * n, 1)),
        n_features=1,
    )


@each_kernel
def test_each_row_adds_the_leaves_it_reaches() -> None:
    x = forest_rows([6, 0, 1, 0], [7, 0, 1, 0], [6, 0, 0, 1], [7, 1, 0, 1])
    assert forest().sums(x).tolist() == [[10 + 12], [20 + 12], [10 + 14], [20 + 30]]


@each_kernel
def test_a_value_on_the_threshold_goes_left_and_the_next_float_right() -> None:
    above = np.nextafter(np.float32(6.5), np.float32(7))
    assert forest().sums(forest_rows([6.5, 0, 1, 0], [above, 0, 1, 0])).tolist() == [[22], [32]]


@each_kernel
def test_a_missing_value_follows_its_nodes_direction() -> None:
    assert forest().sums(forest_rows([np.nan, 0, 1, 0], [6, np.nan, 0, 1])).tolist() == [
        [10 + 12],
        [10 + 30],
    ]


@each_kernel
def test_infinities_fall_to_their_side() -> None:
    assert forest().sums(forest_rows([-np.inf, 0, 1, 0], [np.inf, 0, 1, 0])).tolist() == [
        [22],
        [32],
    ]


@each_kernel
def test_an_infinite_threshold_sends_only_missing_values_right() -> None:
    arrays = node_arrays()
    arrays["threshold"][0] = np.inf
    arrays["missing_left"][0] = False
    x = forest_rows([np.inf, 0, 1, 0], [np.nan, 0, 1, 0])
    assert FlatForest.from_arrays(arrays, n_features=4).sums(x).tolist() == [[22], [32]]


@each_kernel
def test_leaves_are_added_in_tree_order() -> None:
    values = np.random.default_rng(0).normal(size=1000).tolist()
    expected = 0.0
    for value in values:
        expected += value
    assert leaf_values(values).sums(forest_rows([0])).item() == expected
    assert float(np.sum(values)) != expected, "the values no longer tell the two orders apart"


@each_kernel
def test_negative_zeros_add_up_to_zero_as_in_scikit_learn() -> None:
    assert not np.signbit(leaf_values([-0.0, -0.0]).sums(forest_rows([0]))).any()


@each_kernel
def test_large_batches_are_cut_and_joined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = forest_rows(*([float(i), 0, i % 2, 1] for i in range(11)))
    at_once = forest().sums(x)
    monkeypatch.setattr(walk, "CELLS_AT_ONCE", 6)
    assert np.array_equal(forest().sums(x), at_once)


@each_kernel
@pytest.mark.parametrize("n", [1, 5, 6, 11, 12, 13, 24, 25])
def test_any_number_of_rows_and_of_trees_is_summed(n: int) -> None:
    values = [float(2**i) for i in range(n)]
    assert (
        leaf_values(values).sums(np.zeros((n, 1), dtype=np.float32)).tolist() == [[2.0**n - 1]] * n
    )


@each_kernel
@pytest.mark.parametrize(("width", "n"), [(20_000, 20), (1_000, 300), (4, 40_000)])
def test_wide_rows_and_many_are_summed_block_by_block(width: int, n: int) -> None:
    x = np.zeros((n, width), dtype=np.float32)
    x[:, 0] = np.arange(n) % 13
    x[:, 3] = np.arange(n) % 3
    x[:, 1] = np.arange(n) % 2
    wide = FlatForest.from_arrays(node_arrays(), n_features=width)
    expected = np.where(x[:, 0] <= 6.5, 10, 20) + np.where(
        x[:, 3] <= 0.5, 12, np.where(x[:, 1] <= 0.5, 14, 30)
    )
    assert np.array_equal(wide.sums(x)[:, 0], expected)


@each_kernel
@pytest.mark.parametrize("gaps", [[0], [9], [19], [0, 19]])
def test_a_missing_value_changes_no_other_rows_sums(gaps: list[int]) -> None:
    width = 20_000  # twelve rows a block in C, where blocks with gaps are walked otherwise
    x = np.zeros((20, width), dtype=np.float32)
    x[:, 0] = np.arange(20) % 13
    x[:, 3] = np.arange(20) % 2
    wide = FlatForest.from_arrays(node_arrays(), n_features=width)
    expected = wide.sums(x)
    x[gaps, 3] = np.nan
    expected[gaps, 0] = np.where(x[gaps, 0] <= 6.5, 10, 20) + 14
    assert np.array_equal(wide.sums(x), expected)


@each_kernel
def test_rows_that_lie_otherwise_in_memory_are_summed_as_they_are_seen() -> None:
    x = forest_rows(*([float(i), i % 2, i % 3 == 0, i % 2] for i in range(20)))
    wide = np.zeros((40, 6), dtype=np.float32)
    wide[::2, 1:5] = x
    shifted = (
        np.frombuffer(b"-" + x.tobytes(), dtype=np.uint8)[1:].view(np.float32).reshape(x.shape)
    )
    expected = forest().sums(x)
    assert len(np.unique(expected)) > 2
    assert not shifted.flags.aligned
    for same in (
        np.asfortranarray(x),
        wide[::2, 1:5],
        x[::-1].copy()[::-1],
        shifted,
        x.view(np.matrix),
    ):
        assert np.array_equal(forest().sums(same), expected)


@each_kernel
@pytest.mark.parametrize(
    "row", [[6, 0, 1, 0], [7, 1, 0, 1], [np.nan, np.nan, np.nan, np.nan], [np.inf, -np.inf, 0, 1]]
)
def test_a_packed_row_has_the_sums_of_its_matrix(row: list[float]) -> None:
    assert [forest().sums_row(struct.pack("4f", *row))] == [
        tuple(s) for s in forest().sums(forest_rows(row)).tolist()
    ]


@each_kernel
@pytest.mark.parametrize("row", [b"", bytes(12), bytes(15), bytes(17), bytes(20)])
def test_a_packed_row_of_another_length_is_refused(row: bytes) -> None:
    with pytest.raises(ValueError, match="expected the bytes of 4 float32"):
        forest().sums_row(row)


@each_kernel
@pytest.mark.parametrize(
    "row", [None, "0" * 16, 16, [0.0] * 16, bytearray(16), np.zeros(16, dtype=np.uint8)]
)
def test_a_row_that_is_not_bytes_is_refused(row: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(ValueError, match="expected the bytes of 4 float32"):
        forest().sums_row(row)


@each_kernel
def test_arrays_that_change_after_the_check_change_nothing() -> None:
    arrays = node_arrays()
    trees = FlatForest.from_arrays(arrays, n_features=4)
    for name in ("feature", "left", "right"):
        arrays[name][:] = 2**31 - 1
    arrays["start"][:] = 2**30
    arrays["value"][:] = np.nan
    assert (
        trees.sums(forest_rows([6, 0, 1, 0])).tolist()
        == [list(trees.sums_row(struct.pack("4f", 6, 0, 1, 0)))]
        == [[22]]
    )


@each_kernel
def test_threads_that_share_a_forest_get_their_own_sums() -> None:
    rng = np.random.default_rng(0)
    trees = stumps(40, rng)
    start = threading.Barrier(8)
    parts = rng.normal(size=(8, 500, 1)).astype(np.float32)
    expected = [trees.sums(part) for part in parts]

    def ask(number: int) -> bool:
        start.wait()
        one_by_one = [trees.sums_row(row.tobytes()) for row in parts[number]]
        again = [trees.sums(parts[number]) for _ in range(20)]
        return expected[number].tolist() == list(map(list, one_by_one)) and all(
            np.array_equal(sums, expected[number]) for sums in again
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
    assert len({sums.tobytes() for sums in expected}) == 8


@each_kernel
def test_no_rows_give_no_sums() -> None:
    assert forest().sums(np.empty((0, 4), dtype=np.float32)).shape == (0, 1)


@pytest.mark.parametrize(
    "x", [np.zeros((1, 4)), forest_rows([0, 0, 0]), np.zeros(4, dtype=np.float32)]
)
@each_kernel
def test_an_input_of_another_type_or_shape_is_refused(x: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected float32 \(n, 4\)"):
        forest().sums(x)


def test_it_knows_its_size_and_depth() -> None:
    assert (forest().n_trees, forest().n_nodes, forest().depth) == (2, 8, 2)
    assert leaf_values([1.0]).depth == 0


def test_its_arrays_make_the_same_forest_again() -> None:
    again = FlatForest.from_arrays({**forest().arrays(), "unknown": None}, n_features=4)
    assert all(
        np.array_equal(array, again.arrays()[name]) for name, array in forest().arrays().items()
    )


@pytest.mark.parametrize("name", sorted(node_arrays()))
def test_every_array_is_needed(name: str) -> None:
    arrays = node_arrays()
    del arrays[name]
    with pytest.raises(PackageError, match=f"array\\(s\\) missing: {name}"):
        FlatForest.from_arrays(arrays, n_features=4)


@pytest.mark.parametrize("name", sorted(node_arrays()))
@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda array: array.astype(np.float16), id="another type"),
        pytest.param(lambda array: array[..., None], id="one dimension more"),
        pytest.param(lambda array: array.sum(), id="no dimension"),
        pytest.param(lambda array: array[:-1], id="shorter"),
        pytest.param(lambda array: array[:0], id="empty"),
        pytest.param(lambda array: array.tolist(), id="not an array"),
        pytest.param(lambda array: array.tobytes(), id="bytes"),
    ],
)
def test_an_array_of_another_kind_is_refused(name: str, forge: Callable[[Any], Any]) -> None:
    with pytest.raises(PackageError):
        forest(**{name: forge(node_arrays()[name])})


def test_leaves_without_a_number_are_refused() -> None:
    with pytest.raises(PackageError, match="value must have a column"):
        forest(value=node_arrays()["value"][:, :0])


@pytest.mark.parametrize("name", sorted(node_arrays().keys() - {"missing_left"}))
def test_an_array_of_another_byte_order_is_refused(name: str) -> None:
    array = node_arrays()[name]
    with pytest.raises(PackageError, match=f"{name} must be"):
        forest(**{name: array.astype(array.dtype.newbyteorder("S"))})


@pytest.mark.parametrize(
    "start",
    [
        pytest.param([0], id="no tree"),
        pytest.param([1, 3, 8], id="not from 0"),
        pytest.param([0, 3, 7], id="not to the end"),
        pytest.param([0, 3, 9], id="beyond the end"),
        pytest.param([0, 3, 3, 8], id="an empty tree"),
        pytest.param([0, 5, 3, 8], id="falling"),
        pytest.param([0, 1, -(2**31), -1, 8], id="rising only where int32 overflows"),
    ],
)
def test_a_forged_start_is_refused(start: list[int]) -> None:
    with pytest.raises(PackageError, match=r"start must"):
        forest(start=np.array(start, dtype=np.int32))


@pytest.mark.parametrize(
    ("node", "child"),
    [
        pytest.param(0, 0, id="itself, the other not"),
        pytest.param(5, 3, id="backwards"),
        pytest.param(0, 4, id="in another tree"),
        pytest.param(5, 8, id="beyond the end"),
        pytest.param(5, -1, id="negative"),
        pytest.param(5, 2**31 - 1, id="the largest number"),
        pytest.param(5, -(2**31), id="the smallest number"),
        pytest.param(5, 7, id="both the same"),
        pytest.param(3, 6, id="a child of another"),
    ],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_forged_child_index_is_refused(side: str, node: int, child: int) -> None:
    arrays = node_arrays()
    if arrays[side][node] == child:
        side = {"left": "right", "right": "left"}[side]
    arrays[side][node] = child
    with pytest.raises(PackageError, match=r"a child points|no parent, or several"):
        FlatForest.from_arrays(arrays, n_features=4)


def test_a_node_that_nobody_reaches_is_refused() -> None:
    arrays = node_arrays()
    arrays["left"][5] = arrays["right"][5] = 5
    with pytest.raises(PackageError, match="no parent, or several"):
        FlatForest.from_arrays(arrays, n_features=4)


@pytest.mark.parametrize(
    ("name", "forged", "message"),
    [
        ("feature", -1, "a feature is out of range"),
        ("feature", 4, "a feature is out of range"),
        ("feature", 2**31 - 1, "a feature is out of range"),
        ("threshold", np.nan, "a threshold is not a number"),
        ("value", np.nan, "a leaf is not finite"),
        ("value", -np.inf, "a leaf is not finite"),
    ],
)
@pytest.mark.parametrize("node", [0, 7])
def test_a_forged_node_is_refused(node: int, name: str, forged: float, message: str) -> None:
    arrays = node_arrays()
    arrays[name][node] = forged
    with pytest.raises(PackageError, match=message):
        FlatForest.from_arrays(arrays, n_features=4)


def test_leaves_that_add_up_to_infinity_are_refused() -> None:
    with pytest.raises(PackageError, match="add up"):
        leaf_values([1e308, 1e308])


def test_a_chain_deeper_than_any_tree_is_refused() -> None:
    inner = module.MAX_DEPTH + 1
    left = np.arange(
        1, 2 * inner, 2, dtype=np.int32
    )  # node 2k tests, 2k + 1 is its leaf, 2k + 2 continues
    nodes = 2 * inner + 1
    lefts = np.arange(nodes, dtype=np.int32)
    rights = np.arange(nodes, dtype=np.int32)
    lefts[0 : 2 * inner : 2] = left
    rights[0 : 2 * inner : 2] = left + 1
    arrays = {
        "start": np.array([0, nodes], dtype=np.int32),
        "feature": np.zeros(nodes, dtype=np.int32),
        "threshold": np.zeros(nodes, dtype=np.float32),
        "left": lefts,
        "right": rights,
        "missing_left": np.zeros(nodes, dtype=np.bool_),
        "value": np.zeros((nodes, 1)),
    }
    with pytest.raises(PackageError, match="deeper than"):
        FlatForest.from_arrays(arrays, n_features=1)
