"""The flat forest: decision trees as plain arrays, checked once, then traversed by a kernel.

It predicts bit for bit what scikit-learn predicts. scikit-learn casts the input to float32 and
tests `x32 <= t64`; rounding every threshold *down* to float32 keeps each decision. Leaves stay
float64 and are added in tree order, as scikit-learn adds them. A missing value follows the node's
own direction.

Where the leaves are float32, sums are rounded to float32 after each addition, as XGBoost adds. A
sum that begins with a base has that as its first tree, which is one leaf.

A leaf is its own child: a traversal that reached it stays there while others continue.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from registry.package.array_checks import check_matrix, check_packed_row, refuse_unless
from registry.package.kernel import RowPredictor, RowSums, make_traversal
from registry.package.manifest import Output
from registry.package.numpy_kernel import NamedArrays

ARRAYS: dict[str, tuple[tuple[type[np.generic], ...], int]] = {  # dtypes, dimensions
    "start": ((np.int32,), 1),
    "feature": ((np.int32,), 1),
    "threshold": ((np.float32,), 1),
    "left": ((np.int32,), 1),
    "right": ((np.int32,), 1),
    "missing_left": ((np.bool_,), 1),
    "value": ((np.float64, np.float32), 2),
}
MAX_DEPTH = 10_000  # traversing a forged chain of a million nodes would take minutes


@dataclass(frozen=True, slots=True, eq=False)
class FlatForest:
    """Trees in one set of node arrays; node i of tree t lies in `start[t] <= i < start[t + 1]`.

    Attributes:
        start: int32 (n_trees + 1,), where each tree begins, and the end.
        feature: int32 (n_nodes,), the encoded feature a node tests; 0 at a leaf.
        threshold: float32 (n_nodes,), `x <= threshold` goes left; +inf if only missing values go
            right.
        left: int32 (n_nodes,), the left child, a later node of the same tree; a leaf names itself.
        right: int32 (n_nodes,), the right child, by the same rules.
        missing_left: bool (n_nodes,), where NaN goes.
        value: float64, or float32 (n_nodes, n_outputs), what a leaf adds; 0 at inner nodes.
        n_features: width of the encoded input.
        depth: longest path, in decisions; derived.

    Raises:
        PackageError: on construction, when any array breaks one of these rules.
    """

    kind: ClassVar[str] = "flat-forest"
    least_format: ClassVar[int] = 1
    start: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64] | NDArray[np.float32]
    n_features: int
    depth: int = field(init=False)
    _traversal: RowSums = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check_arrays()
        leaf = self._check_nodes()
        object.__setattr__(self, "depth", self._measure_depth(leaf))
        traversal = make_traversal(self.arrays(), n_features=self.n_features, depth=self.depth)
        object.__setattr__(self, "_traversal", traversal)

    @classmethod
    def from_arrays(cls, arrays: NamedArrays, *, n_features: int) -> Self:
        """Build from a mapping that holds `ARRAYS`; extra keys are not read."""
        missing = sorted(ARRAYS.keys() - set(arrays))
        refuse_unless(not missing, f"array(s) missing: {', '.join(missing)}")
        return cls(**{name: arrays[name] for name in ARRAYS}, n_features=n_features)

    def arrays(self) -> NamedArrays:
        """Return the arrays by name, as `from_arrays` takes them."""
        return {name: getattr(self, name) for name in ARRAYS}

    @property
    def n_trees(self) -> int:
        """The number of trees."""
        return len(self.start) - 1

    @property
    def n_nodes(self) -> int:
        """The number of nodes of all trees."""
        return len(self.feature)

    @property
    def n_outputs(self) -> int:
        """Sums a row."""
        return int(self.value.shape[1])

    @property
    def n_members(self) -> int:
        """The number of trees: what a mean of them divides by."""
        return self.n_trees

    @property
    def work(self) -> int:
        """Decisions that a prediction takes."""
        return self.n_trees * self.depth

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up the leaves that each row reaches, tree by tree.

        Args:
            x: float32 (n_rows, n_features); NaN is a missing value.

        Returns:
            float64 (n_rows, n_outputs).

        Raises:
            ValueError: when `x` has another type or width.
        """
        check_matrix(x, self.n_features)
        return self._traversal.sums(x)

    def sums_row(self, row: bytes) -> Sequence[float]:
        """Add up the leaves that one row reaches; the fastest way for a single row.

        Args:
            row: n_features packed native float32, as `struct.pack(f"{n_features}f", ...)` makes
                them.

        Returns:
            n_outputs sums.

        Raises:
            ValueError: when `row` has another length, or is not bytes.
        """
        check_packed_row(row, self.n_features)
        return self._traversal.sums_row(row)

    def row_predictor(self, output: Output) -> RowPredictor | None:
        """Return what answers one packed row as `output` says; None where numpy has to."""
        return self._traversal.row_predictor(output, self.n_members)

    def rounding(
        self,
        x: NDArray[np.float32],
        *,
        largest_target: float = 0.0,  # noqa: ARG002 - see Predictor
    ) -> NDArray[np.float64]:
        """Return how far each sum may differ from the library's: nothing, for any row."""
        return np.zeros((len(x), self.n_outputs))

    def _check_arrays(self) -> None:
        for name, (dtypes, ndim) in ARRAYS.items():
            array = getattr(self, name)
            refuse_unless(
                isinstance(array, np.ndarray) and array.dtype in dtypes,
                f"{name} must be {' or '.join(dtype.__name__ for dtype in dtypes)}",
            )
            refuse_unless(array.ndim == ndim, f"{name} must have {ndim} dimension(s)")
        lengths = {len(getattr(self, name)) for name in ARRAYS if name != "start"}
        refuse_unless(len(lengths) == 1, "node arrays differ in length")
        refuse_unless(
            len(self.start) > 1 and self.start[0] == 0, "start must begin with 0 and name a tree"
        )
        # Compared, because differences of forged numbers overflow int32.
        rising = (self.start[1:] > self.start[:-1]).all()
        refuse_unless(rising and self.start[-1] == self.n_nodes, "start must rise to n_nodes")
        refuse_unless(self.value.shape[1] > 0, "value must have a column")

    def _check_nodes(self) -> NDArray[np.bool_]:
        node = np.arange(self.n_nodes)
        end = np.repeat(self.start[1:], np.diff(self.start))
        leaf: NDArray[np.bool_] = (self.left == node) & (self.right == node)
        for child in (self.left, self.right):
            refuse_unless(
                (leaf | ((child > node) & (child < end))).all(),
                "a child points outside its tree or backwards",
            )
        inner = ~leaf
        parents = np.bincount(
            np.concatenate([self.left[inner], self.right[inner]]), minlength=self.n_nodes
        )
        expected = np.ones(self.n_nodes, dtype=parents.dtype)
        expected[self.start[:-1]] = 0
        refuse_unless(np.array_equal(parents, expected), "a node has no parent, or several")
        refuse_unless(
            ((self.feature >= 0) & (self.feature < self.n_features)).all(),
            "a feature is out of range",
        )
        refuse_unless(not np.isnan(self.threshold).any(), "a threshold is not a number")
        refuse_unless(np.isfinite(self.value).all(), "a leaf is not finite")
        refuse_unless(self._sums_are_finite(), "leaves add up to infinity")
        return leaf

    def _sums_are_finite(self) -> bool:
        largest = np.maximum.reduceat(np.abs(self.value), self.start[:-1])
        with np.errstate(over="ignore"):
            total = np.add.accumulate(largest, axis=0)[-1]  # rounded as the kernels round
            return bool(np.isfinite(total).all())

    def _measure_depth(self, leaf: NDArray[np.bool_]) -> int:
        depth = 0
        level = self.start[:-1]
        while (level := level[~leaf[level]]).size:
            level = np.concatenate([self.left[level], self.right[level]])
            depth += 1
            refuse_unless(depth <= MAX_DEPTH, f"a tree is deeper than {MAX_DEPTH}")
        return depth
