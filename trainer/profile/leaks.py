"""Which single columns predict the target almost perfectly: what is known only afterwards.

A column of a few values is judged by how it divides the rows. Chance is ruled out by counting: of
all ways to hand out the target's values to the rows, at most `classes ** values` agree with the
column everywhere, and they have to be one in 10^12. So a table of 20 rows accuses nobody, nor does
a column with a value of its own in each row.

A numeric column that orders the target's values is reported and kept: a price may be three times
the size.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.profile.column_facts import ColumnFacts

CHANCE = math.log(1e12)
FEW_VALUES = 20
ALMOST = 0.1  # share of a guess's errors that is left
ROWS_PER_VALUE = 10
LEAST_ROWS = 50
CORRELATION = 0.9995  # |r|: 99.9 % of the variance
SEPARATION = 0.998  # area under the ROC curve
SAMPLE = 20_000


def settles_target(column: ColumnFacts, target: ColumnFacts) -> bool:
    """Whether each value, or gap, of the column goes with one value of the target, not by chance.

    Numbers count if they have no more values than the target, which they then repeat.
    """
    if column.is_sampled or target.is_sampled:
        return False
    if column.is_numeric and column.distinct > min(target.distinct, FEW_VALUES):
        return False
    values, classes = _known_codes(column, target)
    groups = int(values.max(initial=-1)) + 1
    if groups < 2 or not _is_pure(values, classes, groups):  # noqa: PLR2004 - it divides nothing
        return False
    return _against_chance(groups, classes) > CHANCE


def nearly_settles_target(column: ColumnFacts, target: ColumnFacts) -> str:
    """Return how well the column alone predicts the target, if that is suspicious."""
    if column.is_numeric:
        return _numeric_suspicion(column, target)
    if target.is_numeric and target.distinct > FEW_VALUES:
        return ""
    values, classes = _known_codes(column, target)
    groups = int(values.max(initial=-1)) + 1
    if groups < 2 or groups * ROWS_PER_VALUE > len(values):  # noqa: PLR2004 - it divides nothing
        return ""
    table = np.zeros((groups, target.distinct), dtype=np.int64)
    np.add.at(table, (values, classes), 1)
    wrong = len(values) - int(table.max(axis=1).sum())
    guessed = len(values) - int(table.sum(axis=0).max())
    if guessed * math.log(2) < CHANCE or wrong > ALMOST * guessed:
        return ""
    return f"alone predicts {1 - wrong / len(values):.1%} of {target.name}"


def _known_codes(
    column: ColumnFacts, target: ColumnFacts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both columns' codes where the target is known; a gap is one more value."""
    known = target.codes >= 0
    values = column.codes[known]
    values = np.where(values < 0, column.distinct, values)
    _, dense = np.unique(values, return_inverse=True)
    return dense.astype(np.int64), target.codes[known]


def _is_pure(values: NDArray[np.int64], classes: NDArray[np.int64], groups: int) -> bool:
    one = np.zeros(groups, dtype=np.int64)
    one[values] = classes  # any of the group's
    return bool(np.array_equal(one[values], classes))


def _against_chance(groups: int, classes: NDArray[np.int64]) -> float:
    """Return the log of one over the chance that these groups settle these classes."""
    counts = np.bincount(classes)
    counts = counts[counts > 0]
    ways = math.lgamma(len(classes) + 1) - sum(math.lgamma(count + 1) for count in counts)
    return ways - groups * math.log(max(len(counts), 2))


def _numeric_suspicion(column: ColumnFacts, target: ColumnFacts) -> str:
    step = max(1, column.rows // SAMPLE)
    x = column.numbers[::step]
    if target.is_numeric and target.distinct > FEW_VALUES:
        y = target.numbers[::step]
        known = np.isfinite(x) & np.isfinite(y)
        return _correlation_suspicion(x[known], y[known], target.name)
    codes = target.codes[::step]
    known = np.isfinite(x) & (codes >= 0)
    return _separation_suspicion(x[known], codes[known], target)


def _correlation_suspicion(x: NDArray[np.float64], y: NDArray[np.float64], target: str) -> str:
    if len(x) < LEAST_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return ""
    linear = abs(np.corrcoef(x / np.abs(x).max(), y / np.abs(y).max())[0, 1])  # no overflow
    monotone = abs(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
    if max(linear, monotone) < CORRELATION:
        return ""
    return f"alone predicts {target} (correlation {max(linear, monotone):.5f})"


def _separation_suspicion(
    x: NDArray[np.float64], codes: NDArray[np.int64], target: ColumnFacts
) -> str:
    present, counts = np.unique(codes, return_counts=True)
    if len(present) != 2 or counts.min() * math.log(2) < CHANCE:  # noqa: PLR2004 - two classes
        return ""
    ranks = _ranks(x)
    first = counts[0]
    second = counts[1]
    wins = ranks[codes == present[0]].sum() - first * (first + 1) / 2
    area = wins / (first * second)
    if max(area, 1 - area) < SEPARATION:
        return ""
    return f"alone tells the classes of {target.name} apart (AUC {max(area, 1 - area):.4f})"


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)
