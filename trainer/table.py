"""Reads a data set's table: a CSV file, or a table that scikit-learn ships."""

import inspect
import warnings
from pathlib import Path

import pandas as pd

from registry.package import COLUMN_KINDS
from trainer.errors import DataError
from trainer.spec import DataSetSpec


def read_table(spec: DataSetSpec) -> pd.DataFrame:
    """Read the source; columns keep the types that pandas infers.

    Raises:
        DataError: when the source is missing, unreadable, empty, or lacks a column that the spec
            names.
    """
    if spec.source.startswith("sklearn:"):
        frame = _from_sklearn(spec.source.removeprefix("sklearn:"), spec.target)
    else:
        frame = _from_csv(spec.folder / spec.source, spec)
    _check_columns(frame, spec)
    return frame


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
    texts = [  # "007" is not 7
        name
        for name, column in spec.columns.items()
        if COLUMN_KINDS[column.type].json_type == "string"
    ]
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
        # Without this, cells beyond the header would be cut off.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # low_memory would type the file in chunks: a cell's text would depend on the file's length.
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
