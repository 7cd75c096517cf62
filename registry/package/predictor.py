"""What a package predicts with: a flat forest or a flat linear model, behind one protocol.

The arrays in `model.npz` tell which. A new kind is a class of its own, listed in `KINDS`.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.package.array_checks import refuse_unless
from registry.package.forest import ARRAYS, FlatForest
from registry.package.kernel import RowPredictor
from registry.package.linear import LINEAR_ARRAYS, FlatLinear
from registry.package.manifest import Output
from registry.package.numpy_kernel import NamedArrays


class Predictor(Protocol):
    """Checked arrays, and what they add up to for encoded rows.

    Attributes:
        kind: its name, as the server's metadata has it.
        least_format: the first format of the manifest whose readers know it.
    """

    kind: ClassVar[str]
    least_format: ClassVar[int]

    @property
    def n_features(self) -> int:
        """Width of the encoded input."""

    @property
    def n_outputs(self) -> int:
        """Sums a row."""

    @property
    def n_members(self) -> int:
        """What a mean divides the sums by: the number of trees, or 1."""

    @property
    def work(self) -> int:
        """Steps that a prediction takes: decisions, or products."""

    def arrays(self) -> NamedArrays:
        """Return the arrays by name."""

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n_rows, n_outputs) for float32 (n_rows, n_features), NaN if missing.

        Raises:
            ValueError: when `x` has another type or width.
        """

    def sums_row(self, row: bytes) -> Sequence[float]:
        """Return n_outputs sums for one row of packed native float32.

        Raises:
            ValueError: when `row` has another length, or is not bytes.
        """

    def row_predictor(self, output: Output) -> RowPredictor | None:
        """Return what answers one packed row as `output` says; None where numpy has to."""

    def rounding(
        self, x: NDArray[np.float32], *, largest_target: float = 0.0
    ) -> NDArray[np.float64]:
        """Return how far each sum may differ from the library's: float64 (n_rows, n_outputs)."""


KINDS: Mapping[frozenset[str], type[FlatForest] | type[FlatLinear]] = {
    frozenset(ARRAYS): FlatForest,
    frozenset(LINEAR_ARRAYS): FlatLinear,
}


def make_predictor(arrays: NamedArrays, *, n_features: int) -> Predictor:
    """Return the predictor whose arrays these are; arrays of no predictor are not read.

    Raises:
        PackageError: when they are of none or of several, or break a rule of their kind.
    """
    found = [kind for names, kind in KINDS.items() if names & set(arrays)]
    refuse_unless(len(found) <= 1, "holds the arrays of trees and of a linear model")
    if not found:
        found = [FlatForest]  # which names the arrays that are missing
    return found[0].from_arrays(arrays, n_features=n_features)
