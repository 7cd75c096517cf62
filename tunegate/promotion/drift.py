"""Have the columns moved since the champion was trained? New rows against those that it knows."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from promote.verdict import ColumnDrift
from registry.package import COLUMN_KINDS, Column, ModelPackage, stability_index
from registry.package.columns import CellArray
from trainer.dataset import Dataset

BINS = 10  # quantiles of the known rows
LEAST_ROWS = 20  # on either side
LEAST_EXPECTED = 5.0  # rows of a category, for the chi-squared test
Floats = NDArray[np.float64]


class _Test(NamedTuple):
    name: Literal["ks", "chi2"]
    statistic: float
    p: float


def measure_drift(dataset: Dataset, champion: ModelPackage) -> tuple[ColumnDrift, ...]:
    """Compare the training rows that are new to the champion with those that it was trained on.

    Nothing is decided by this: a model may be better for having learned of the change.

    Args:
        dataset: as it is now.
        champion: knows its rows.

    Returns:
        One record a column, the farthest moved first; empty if the data are the champion's, or
        fewer than 20 training rows are known, or new. The p values are adjusted for the number of
        columns, so that of unmoved columns one in twenty lists has one below 0.05.
    """
    part = dataset.training
    known = champion.knows(part.rows, part.rounded)
    same = dataset.fingerprint == champion.manifest.fingerprint
    if same or min(known.sum(), (~known).sum()) < LEAST_ROWS:
        return ()
    from scipy.stats import false_discovery_control  # noqa: PLC0415 - takes a while to import

    bins = [_bin_cells(column, part.table[column.name], known) for column in dataset.columns]
    tests = [
        _test_column(column, part.table[column.name], placed, known)
        for column, placed in zip(dataset.columns, bins, strict=True)
    ]
    adjusted = false_discovery_control([test.p for test in tests])
    found = [
        ColumnDrift(
            column=column.name,
            psi=population_stability(placed[known], placed[~known]),
            test=test.name,
            statistic=test.statistic,
            p=float(p),
        )
        for column, placed, test, p in zip(dataset.columns, bins, tests, adjusted, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (-each.psi, each.column)))


def population_stability(known: NDArray[np.int64], new: NDArray[np.int64]) -> float:
    """Return the population stability index of bins: the sum of (q - p) log(q / p) of shares.

    Args:
        known: int64 (n,), each row's bin.
        new: int64 (m,), the same of the rows that are compared with them.
    """
    count = 1 + max(known.max(), new.max())
    p, q = (np.bincount(each, minlength=count) / len(each) for each in (known, new))
    return stability_index(p, q)


def _numbers(column: Column, values: CellArray) -> Floats | None:
    """Return the cells as numbers, nan where missing; None of a column that has no order."""
    kind = COLUMN_KINDS[column.kind]
    return kind.range_values(values) if kind.has_range else None


def _bin_cells(column: Column, values: CellArray, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return int64 (n,): the quantile among known rows, or the category; missing ones are apart."""
    numbers = _numbers(column, values)
    if numbers is None:
        texts = ["" if value is None else f"={value}" for value in values.tolist()]
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)
    missing = np.isnan(numbers)
    present = numbers[known & ~missing]
    if not len(present):
        return missing.astype(np.int64)
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, numbers))


def _test_column(
    column: Column, values: CellArray, placed: NDArray[np.int64], known: NDArray[np.bool_]
) -> _Test:
    """Test a column: Kolmogorov-Smirnov where it has an order, otherwise chi-squared."""
    from scipy.stats import chi2_contingency, ks_2samp  # noqa: PLC0415 - as above

    numbers = _numbers(column, values)
    if numbers is not None:
        present = ~np.isnan(numbers)
        old = numbers[known & present]
        new = numbers[~known & present]
        if not (len(old) and len(new)):
            return _Test("ks", 0.0, 1.0)
        result = ks_2samp(old, new)
        return _Test("ks", float(result.statistic), float(result.pvalue))
    sides = (placed[known], placed[~known])
    counts = np.array([np.bincount(side, minlength=placed.max() + 1) for side in sides])
    total = counts.sum(axis=0)
    expected = total * counts.sum(axis=1).min() / counts.sum()
    rare = expected < LEAST_EXPECTED  # together they are one category
    table = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:  # noqa: PLR2004 - one category cannot move
        return _Test("chi2", 0.0, 1.0)
    result = chi2_contingency(table)
    return _Test("chi2", float(result.statistic), float(result.pvalue))
