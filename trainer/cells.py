"""Reads the cells of a training table: one reader a column kind.

A cell that does not fit its column's kind is named with its line.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package.columns import FLOAT32_MAX, CellArray, Kind
from trainer.errors import DataError

FIRST_LINE = 2  # line 1 of a CSV file is its header
MAX_CATEGORIES = 100
BOOLEANS = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "1": True,
    "0": False,
    "1.0": True,
    "0.0": False,
}


def infer_kind(column: pd.Series) -> Kind:
    """Return the column's kind by the type that pandas gave it."""
    if pd.api.types.is_bool_dtype(column) or set(column.dropna().map(type)) == {bool}:
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "numeric"
    return "categorical"


def read_numbers(column: pd.Series, *, hint: str = "") -> NDArray[np.float64]:
    """Return a column as float64, NaN for missing; `hint` says what to do about a bad cell.

    Raises:
        DataError: when a cell is not a number, not finite, or too large for the float32 that trees
            read.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    _refuse_cells(column, numbers.isna() & column.notna(), "is not a number", hint)
    values: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse_cells(column, np.isinf(values), "is not finite", hint)
    _refuse_cells(column, np.abs(values) > FLOAT32_MAX, "is too large for float32", hint)
    return values


def read_booleans(column: pd.Series) -> CellArray:
    """Return a column as objects: True, False, or None for missing.

    Raises:
        DataError: when a cell is none of `BOOLEANS`.
    """
    values = _convert_cells(column, lambda cell: BOOLEANS.get(str(cell).strip().lower()))
    unknown = np.array([value is None for value in values])
    _refuse_cells(column, column.notna().to_numpy() & unknown, "is not true or false")
    return values


def read_categories(column: pd.Series) -> CellArray:
    """Return a column as objects: str, or None for missing.

    Raises:
        DataError: when there are more than `MAX_CATEGORIES`.
    """
    values = _convert_cells(column, _as_text)
    distinct = len({value for value in values if value is not None})
    if distinct > MAX_CATEGORIES:
        hint = (
            "put it into `drop`, or write it as numbers; "
            f"at most {MAX_CATEGORIES} categories are learned"
        )
        raise DataError(f"column {column.name}: {distinct} different texts", hint=hint)
    return values


CELL_READERS: Mapping[Kind, Callable[[pd.Series], CellArray]] = {
    "numeric": read_numbers,
    "boolean": read_booleans,
    "categorical": read_categories,
}


def _convert_cells(column: pd.Series, convert: Callable[[object], object]) -> CellArray:
    values = np.empty(len(column), dtype=object)
    values[:] = [None if pd.isna(cell) else convert(cell) for cell in column]
    return values


def _as_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _refuse_cells(column: pd.Series, wrong: Iterable[bool], what: str, hint: str = "") -> None:
    """Raise a DataError that names the first wrong cell and counts the others."""
    rows = np.flatnonzero(np.asarray(wrong))
    if not rows.size:
        return
    cell = str(column.iloc[rows[0]])
    line = rows[0] + FIRST_LINE
    more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
    raise DataError(
        f"column {column.name}, line {line}: {cell!r} {what}{more}",
        hint=hint or f'fix the table, or set [columns."{column.name}"] type = "categorical"',
    )
