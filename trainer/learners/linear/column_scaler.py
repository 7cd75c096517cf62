"""scikit-learn's StandardScaler, for all columns or for some."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]


class ColumnScaler(StandardScaler):  # type: ignore[misc] # the library has no types
    """A StandardScaler that leaves columns as they are, with mean 0 and scale 1.

    Args:
        scale: `all` columns are scaled, `numbers` (those that hold more than 0 and 1), or `none`.
    """

    def __init__(self, scale: str = "all") -> None:
        super().__init__(copy=False)
        self.scale = scale

    def partial_fit(
        self,
        X: Floats,  # noqa: N803 - the library's name
        y: object = None,
        sample_weight: Floats | None = None,
    ) -> Self:
        """Fit as the library does, and then forget the columns that are left."""
        super().partial_fit(X, y, sample_weight)
        if self.scale != "all":
            left = np.ones(X.shape[1], dtype=np.bool_)
            if self.scale == "numbers":
                left = ((X == 0) | (X == 1)).all(axis=0)
            self.mean_[left] = 0.0
            self.scale_[left] = 1.0
        return self
