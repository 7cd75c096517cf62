"""A search space as a cube: each parameter a number in [0, 1] on its own scale, so that models can measure distances.

Ordered parameters keep their order, and a value that its distribution makes likely gets more room. Where a condition
makes a parameter idle, its number is the same whatever its value: points that differ in nothing else are one point.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from katib.search.conditions import Condition
from katib.space import Parameter

Numbers = NDArray[np.float64]
MOST_VALUES: Final = 4096  # that are listed
IDLE: Final = 0.5
BINARY: Final = 2


class Cube:
    """The cube of a space.

    Args:
        parameters: the space.
        conditions: which parameters are idle where.
    """

    def __init__(
        self, parameters: Sequence[Parameter], conditions: Sequence[Condition] = ()
    ) -> None:
        self.parameters = parameters
        self.width = len(parameters)
        self.categorical = np.array([p.kind == "categorical" for p in parameters])
        self._values = [p.values() if p.size <= MOST_VALUES else [] for p in parameters]
        self._grids = [
            np.array([p.to_unit(value) for value in values])
            for p, values in zip(parameters, self._values, strict=True)
        ]
        place = {p.name: k for k, p in enumerate(parameters)}
        self._conditions = [
            (
                place[c.child],
                place[c.parent],
                np.isin(self._values[place[c.parent]], list(c.values)),
            )
            for c in conditions
        ]

    def units(self, points: Sequence[Mapping[str, str]]) -> Numbers:
        """Return the numbers of points: float64 (n, d)."""
        numbers = [[p.to_unit(point[p.name]) for p in self.parameters] for point in points]
        return self.snap(np.array(numbers).reshape(-1, self.width))

    def point(self, unit: Numbers) -> dict[str, str]:
        """Return the point at float64 (d,) that `snap` has moved to values."""
        return {p.name: self._value(k, float(unit[k])) for k, p in enumerate(self.parameters)}

    def snap(self, units: Numbers) -> Numbers:
        """Move the numbers float64 (n, d) to those of the nearest values, idle ones to one place."""
        moved = units.copy()
        indices = [
            nearest(grid, units[:, k]) if len(grid) else None for k, grid in enumerate(self._grids)
        ]
        for k, index in enumerate(indices):
            if index is not None:
                moved[:, k] = self._grids[k][index]
            elif self.parameters[k].step is not None:
                moved[:, k] = [self._rounded(k, unit) for unit in moved[:, k]]
        for child, parent, counts in self._conditions:
            moved[~counts[indices[parent]], child] = IDLE
        return moved

    def coordinates(self, units: Numbers) -> Numbers:
        """Return numbers whose squared differences add up: float64 (n, d'), a column a category from three on."""
        columns = [self._columns(k, units[:, k]) for k in range(self.width)]
        return np.concatenate(columns, axis=1)

    def _columns(self, k: int, units: Numbers) -> Numbers:
        count = len(self.parameters[k].choices)
        if not self.categorical[k]:
            return units[:, None]
        chosen = nearest(self._grids[k], units)
        if count <= BINARY:
            return chosen[:, None].astype(float)
        hot: Numbers = (chosen[:, None] == np.arange(count)) / np.sqrt(2)
        return hot

    def _rounded(self, k: int, unit: float) -> float:
        """Return the number of the value nearest to it: where values are too many to list, but may lie far apart."""
        return self.parameters[k].to_unit(self.parameters[k].from_unit(unit))

    def _value(self, k: int, unit: float) -> str:
        values = self._values[k]
        if values:
            return values[int(np.abs(self._grids[k] - unit).argmin())]
        return self.parameters[k].from_unit(unit)


def nearest(grid: Numbers, units: Numbers) -> NDArray[np.intp]:
    """Return the place in an ascending grid (k,) that is nearest to each of the numbers (n,)."""
    middles = (grid[1:] + grid[:-1]) / 2
    return np.searchsorted(middles, units)
