"""Our package behind scikit-learn's interface, for other people's servers.

Needs numpy and msgspec.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import load_package


class FlatPredictor:
    """Has `predict`, as an estimator does."""

    def __init__(self, path: Path) -> None:
        self.forest = load_package(path).forest

    def predict(self, rows: Any) -> NDArray[np.float64]:  # noqa: ANN401 - an array or lists
        """Return float64 (n,)."""
        x = np.asarray(rows, dtype=np.float32)
        found: NDArray[np.float64] = self.forest.sums(x)[:, 0] / self.forest.n_trees
        return found
