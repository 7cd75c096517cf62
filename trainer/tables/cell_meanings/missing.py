"""Which texts and numbers of a column mean a missing value."""

from collections.abc import Collection, Sequence

import pandas as pd

from trainer.spec import DataSetSpec
from trainer.text_rules import MISSING_TEXTS


def pandas_markers(spec: DataSetSpec, names: Sequence[str]) -> list[str] | dict[str, list[str]]:
    """Return the texts that mean missing, in each column where they differ."""
    if not any(column.missing for column in spec.columns.values()):
        return sorted(MISSING_TEXTS.union(spec.missing))
    return {name: sorted(column_markers(spec, name)) for name in names}


def column_markers(spec: DataSetSpec, name: str) -> frozenset[str]:
    """Return all texts that mean missing in one column."""
    stated = spec.columns.get(name)
    own = stated.missing if stated else ()
    return MISSING_TEXTS.union(spec.missing, own)


def mark_missing_numbers(column: pd.Series, markers: Collection[str]) -> pd.Series:
    """Return a column of numbers with NaN for those that a marker such as "-999" names."""
    numbers = pd.to_numeric(pd.Series(sorted(markers), dtype="str"), errors="coerce").dropna()
    if numbers.empty:
        return column
    found = column.isin(numbers.to_list())
    if not found.any():
        return column
    return column.astype("float64").mask(found)
