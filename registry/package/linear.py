"""The flat linear model: filled, scaled, weighted and added features, as plain arrays.

A row's sums are computed in float64, in one stated order, so that every kernel gives the same bits:

    z[j] = ((x[j], or fill[j] where it is missing) - center[j]) / scale[j]
    sums[k] = ((0 + coefficient[0, k] z[0]) + coefficient[1, k] z[1]) + ... + intercept[k]

z is scikit-learn's, bit for bit. scikit-learn adds by its BLAS, whose order depends on the machine
and on the number of rows; `FlatLinear.rounding` bounds what another order can change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from registry.package.array_checks import check_matrix, check_packed_row, refuse_unless
from registry.package.kernel import RowPredictor, RowSums, make_linear_sums
from registry.package.manifest import Output
from registry.package.numpy_kernel import NamedArrays

Floats = NDArray[np.float64]
LINEAR_ARRAYS = {"fill": 1, "center": 1, "scale": 1, "coefficient": 2, "intercept": 1}  # dimensions
FLOAT32_MAX = float(np.finfo(np.float32).max)
LARGEST_SUM = float(np.finfo(np.float64).max) / 4  # no order of additions overflows below it
ULP = 2.0**-52  # of 1
# What scaling the target back adds on both sides: a product and a sum of scikit-learn's, and the
# rounding of the package's coefficients and intercept.
TARGET_ULPS = 8


@dataclass(frozen=True, slots=True, eq=False)
class FlatLinear:
    """A linear model with its imputing and scaling; see the module for its arithmetic.

    Attributes:
        fill: float64 (n_features,), what a missing value counts as.
        center: float64 (n_features,), subtracted from each feature.
        scale: float64 (n_features,), above 0; divides what is left.
        coefficient: float64 (n_features, n_outputs).
        intercept: float64 (n_outputs,).
        n_features: width of the encoded input.

    Raises:
        PackageError: on construction, when an array has another type or shape, holds a number that
            is not finite, or could give a sum that is not.
    """

    kind: ClassVar[str] = "linear"
    least_format: ClassVar[int] = 3
    fill: Floats
    center: Floats
    scale: Floats
    coefficient: Floats
    intercept: Floats
    n_features: int
    _row_sums: RowSums = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._check_arrays()
        self._check_numbers()
        object.__setattr__(self, "_row_sums", make_linear_sums(self.arrays()))

    @classmethod
    def from_arrays(cls, arrays: NamedArrays, *, n_features: int) -> Self:
        """Build from a mapping that holds `LINEAR_ARRAYS`; extra keys are not read."""
        missing = sorted(LINEAR_ARRAYS.keys() - set(arrays))
        refuse_unless(not missing, f"array(s) missing: {', '.join(missing)}")
        return cls(**{name: arrays[name] for name in LINEAR_ARRAYS}, n_features=n_features)

    def arrays(self) -> NamedArrays:
        """Return the arrays by name, as `from_arrays` takes them."""
        return {name: getattr(self, name) for name in LINEAR_ARRAYS}

    @property
    def n_outputs(self) -> int:
        """Sums a row."""
        return len(self.intercept)

    @property
    def n_members(self) -> int:
        """One: nothing is averaged."""
        return 1

    @property
    def work(self) -> int:
        """Products that a prediction takes."""
        return self.coefficient.size

    def sums(self, x: NDArray[np.float32]) -> Floats:
        """Add up each row's terms and the intercept.

        Args:
            x: float32 (n_rows, n_features); NaN is a missing value.

        Returns:
            float64 (n_rows, n_outputs).

        Raises:
            ValueError: when `x` has another type or width.
        """
        check_matrix(x, self.n_features)
        return self._row_sums.sums(x)

    def sums_row(self, row: bytes) -> Sequence[float]:
        """Add up one row's terms; the fastest way for a single row.

        Args:
            row: n_features packed native float32.

        Returns:
            n_outputs sums.

        Raises:
            ValueError: when `row` has another length, or is not bytes.
        """
        check_packed_row(row, self.n_features)
        return self._row_sums.sums_row(row)

    def row_predictor(self, output: Output) -> RowPredictor | None:
        """Return what answers one packed row as `output` says; None where numpy has to."""
        return self._row_sums.row_predictor(output, self.n_members)

    def standardise(self, x: NDArray[np.float32]) -> Floats:
        """Return z, float64 (n_rows, n_features), with gaps filled."""
        known = np.where(np.isnan(x), self.fill, x.astype(np.float64))
        scaled: Floats = (known - self.center) / self.scale
        return scaled

    def rounding(self, x: NDArray[np.float32], *, largest_target: float = 0.0) -> Floats:
        """Return how far a sum may differ from scikit-learn's, which adds in another order.

        Of n products and an intercept, added in any order, with fused multiplications or without,
        a sum is off by at most (n + 1) half ulps of the sum of their magnitudes (Higham 2002,
        "Accuracy and stability of numerical algorithms", section 3.1); so are both sums.

        Args:
            x: float32 (n_rows, n_features).
            largest_target: the largest magnitude of a target that was scaled for the fit; 0 where
                none was.

        Returns:
            float64 (n_rows, n_outputs): (n_features + 8) ulp of the terms' magnitudes.
        """
        terms = np.abs(self.standardise(x)) @ np.abs(self.coefficient)
        sizes: Floats = terms + np.abs(self.intercept) + 2 * largest_target
        return (self.n_features + TARGET_ULPS) * ULP * sizes

    def _check_arrays(self) -> None:
        for name, ndim in LINEAR_ARRAYS.items():
            array = getattr(self, name)
            refuse_unless(
                isinstance(array, np.ndarray) and array.dtype == np.float64,
                f"{name} must be float64",
            )
            refuse_unless(array.ndim == ndim, f"{name} must have {ndim} dimension(s)")
        for name in ("fill", "center", "scale", "coefficient"):
            rows = len(getattr(self, name))
            refuse_unless(
                rows == self.n_features, f"{name} has {rows} rows for {self.n_features} features"
            )
        outputs = self.coefficient.shape[1]
        refuse_unless(outputs > 0, "coefficient must have a column")
        refuse_unless(
            len(self.intercept) == outputs,
            f"intercept has {len(self.intercept)} numbers for {outputs} output(s)",
        )

    def _check_numbers(self) -> None:
        for name in LINEAR_ARRAYS:
            refuse_unless(np.isfinite(getattr(self, name)).all(), f"{name} is not finite")
        refuse_unless((self.scale > 0).all(), "scale must be above 0")
        with np.errstate(over="ignore", invalid="ignore"):
            reach = np.maximum(FLOAT32_MAX, np.abs(self.fill)) + np.abs(self.center)
            largest = reach / self.scale
            sums = largest @ np.abs(self.coefficient) + np.abs(self.intercept)
        refuse_unless(
            (largest < LARGEST_SUM).all() and (sums < LARGEST_SUM).all(), "terms add up to infinity"
        )
