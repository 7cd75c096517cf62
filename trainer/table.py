"""Read a data set's table and give each column its type; what cannot be typed is named with its line."""

import inspect
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package.columns import FLOAT32_MAX
from trainer.errors import DataError
from trainer.spec import DataSetSpec

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
Values = NDArray[Any]


def read_table(spec: DataSetSpec) -> pd.DataFrame:
    """Read the source; columns keep the types that pandas infers.

    Raises:
        DataError: when the source is missing, unreadable, empty, or lacks a column that the spec names.
    """
    if spec.source.startswith("sklearn:"):
        frame = _from_sklearn(spec.source.removeprefix("sklearn:"), spec.target)
    else:
        frame = _from_csv(spec.folder / spec.source, spec)
    _check_columns(frame, spec)
    return frame


def typed(frame: pd.DataFrame, name: str, spec: DataSetSpec) -> tuple[str, Values]:
    """Return a column's kind and its values.

    Returns:
        ("numeric", float64 with NaN for missing), ("boolean", object of bool and None) or ("categorical", object of
        str and None).

    Raises:
        DataError: when a cell does not fit the type, or a categorical column has too many categories.
    """
    column = frame[name]
    stated = spec.columns.get(name)
    kind = stated.type if stated else _infer(column)
    if kind == "numeric":
        return kind, numeric(column)
    if kind == "boolean":
        return kind, _boolean(column)
    values = _objects(column, _as_text)
    distinct = len({value for value in values if value is not None})
    if distinct > MAX_CATEGORIES:
        hint = f"put it into `drop`, or write it as numbers; at most {MAX_CATEGORIES} categories are learned"
        raise DataError(f"column {name}: {distinct} different texts", hint=hint)
    return kind, values


def numeric(column: "pd.Series[Any]", *, hint: str = "") -> Values:
    """Return a column as float64, NaN for missing; `hint` is what to do about a cell that is no number.

    Raises:
        DataError: when a cell is not a number, not finite, or too large for the float32 that trees read.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    _refuse(column, numbers.isna() & column.notna(), "is not a number", hint)
    values: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    _refuse(column, np.isinf(values), "is not finite", hint)
    _refuse(column, np.abs(values) > FLOAT32_MAX, "is too large for float32", hint)
    return values


def _from_sklearn(name: str, target: str) -> pd.DataFrame:
    from sklearn import datasets  # noqa: PLC0415 - 0.3 s that a CSV does not need

    loader = getattr(datasets, f"load_{name}", None)
    if loader is None or "as_frame" not in inspect.signature(loader).parameters:
        raise DataError(
            f"sklearn:{name}: scikit-learn ships no such table", hint="try diabetes, iris, wine"
        )
    frame: pd.DataFrame = loader(as_frame=True).frame
    if target in frame:
        return frame
    return frame.rename(columns={"target": target})


def _from_csv(path: Path, spec: DataSetSpec) -> pd.DataFrame:
    texts = [
        name for name, column in spec.columns.items() if column.type == "categorical"
    ]  # "007" is not 7
    try:
        frame = _read_csv(path, dtype=dict.fromkeys(texts, str))
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror or error}", hint="`source` is relative to the TOML file"
        ) from error
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"{path}: rows have more cells than the header", hint="give every column a name"
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: not a readable CSV file: {error}") from error
    if frame.empty:
        raise DataError(f"{path}: no rows")
    return frame


def _read_csv(path: Path, dtype: dict[str, type[str]]) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error", pd.errors.ParserWarning
        )  # cells beyond the header would be cut off
        # low_memory would type the file in chunks, so that a cell's text depends on how long the file is.
        return pd.read_csv(path, index_col=False, dtype=dtype, low_memory=False, compression=None)


def _check_columns(frame: pd.DataFrame, spec: DataSetSpec) -> None:
    present = [str(name) for name in frame.columns]
    named = {spec.target, *spec.features, *spec.drop, *spec.columns, *spec.split.by}
    if missing := sorted(named - set(present)):
        raise DataError(
            f"{spec.source}: no column {', '.join(missing)}", hint=f"columns: {', '.join(present)}"
        )
    if spec.target in {*spec.features, *spec.drop}:
        raise DataError(f"{spec.name}: the target {spec.target} is also a feature or dropped")


def _infer(column: "pd.Series[Any]") -> str:
    if pd.api.types.is_bool_dtype(column) or set(column.dropna().map(type)) == {bool}:
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "numeric"
    return "categorical"


def _boolean(column: "pd.Series[Any]") -> Values:
    def convert(value: object) -> bool | None:
        return BOOLEANS.get(str(value).strip().lower())

    values = _objects(column, convert)
    _refuse(
        column,
        column.notna().to_numpy() & np.array([v is None for v in values]),
        "is not true or false",
    )
    return values


def _objects(column: "pd.Series[Any]", convert: Any) -> Values:  # noqa: ANN401 - any function of a cell
    out = np.empty(len(column), dtype=object)
    out[:] = [None if pd.isna(value) else convert(value) for value in column]
    return out


def _as_text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _refuse(column: "pd.Series[Any]", wrong: Iterable[bool], what: str, hint: str = "") -> None:
    at = np.flatnonzero(np.asarray(wrong))
    if at.size:
        more = f" (and {at.size - 1} more)" if at.size > 1 else ""
        cell = str(column.iloc[at[0]])
        line = at[0] + FIRST_LINE
        hint = hint or f'mend the table, or set [columns."{column.name}"] type = "categorical"'
        raise DataError(f"column {column.name}, line {line}: {cell!r} {what}{more}", hint=hint)
