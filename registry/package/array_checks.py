"""Checks of a predictor's arrays, and of the rows that it is given."""

import numpy as np
from numpy.typing import NDArray

from registry.errors import PackageError

FLOAT32_SIZE = 4


def refuse_unless(condition: object, message: str) -> None:
    """Check something about a package's arrays.

    Raises:
        PackageError: with this message, when the condition does not hold.
    """
    if not condition:
        raise PackageError(
            f"model.npz: {message}", hint="fetch the package again, or train it again"
        )


def check_matrix(x: NDArray[np.float32], n_features: int) -> None:
    """Check encoded rows: float32 (n, n_features).

    Raises:
        ValueError: when `x` has another type or width.
    """
    if x.dtype != np.float32 or x.ndim != 2 or x.shape[1] != n_features:  # noqa: PLR2004
        raise ValueError(f"expected float32 (n, {n_features}), got {x.dtype} {x.shape}")


def check_packed_row(row: bytes, n_features: int) -> None:
    """Check one row: n_features packed native float32.

    Raises:
        ValueError: when `row` has another length, or is not bytes.
    """
    if not isinstance(row, bytes) or len(row) != FLOAT32_SIZE * n_features:
        raise ValueError(f"expected the bytes of {n_features} float32, got {row!r:.60}")
