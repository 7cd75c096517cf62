"""Reads Parquet, Feather and JSON lines, whose cells have types already."""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.feather as pf
import pyarrow.parquet as pq

from trainer.errors import DataError
from trainer.tables.parsed import Parsed
from trainer.tables.result import NumberedRows


def read_parquet(stream: BinaryIO, label: str) -> Parsed:
    """Read a Parquet file.

    Raises:
        DataError: when it is damaged.
    """
    return _read_columns(pq.read_table, stream, f"{label}: not a readable Parquet file")


def read_feather(stream: BinaryIO, label: str) -> Parsed:
    """Read a Feather file, which is Arrow's own.

    Raises:
        DataError: when it is damaged.
    """
    return _read_columns(pf.read_table, stream, f"{label}: not a readable Feather file")


def read_json(stream: BinaryIO, label: str) -> Parsed:
    """Read JSON: one object a line, or a list of objects.

    Raises:
        DataError: when it is neither.
    """
    text = stream.read().decode("utf-8-sig", errors="replace")
    rows = _json_rows(text, label)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError(
            f"{label}: not a table: neither a JSON object a line nor a list of objects",
            hint='write each row as {"column": value, ...} on a line of its own',
        )
    return Parsed(pd.DataFrame(rows), NumberedRows())


def _read_columns(
    read: Callable[[pa.PythonFile], pa.Table], stream: BinaryIO, problem: str
) -> Parsed:
    try:
        table = read(pa.PythonFile(stream, mode="r"))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{problem}: {error}") from error
    return Parsed(_to_frame(table), NumberedRows())


def _json_rows(text: str, label: str) -> list[dict[str, object]]:
    if text.lstrip().startswith("["):
        rows: list[dict[str, object]] = _parse_json(text, label, 1)
        return rows
    return [
        _parse_json(line, label, number)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _parse_json(text: str, label: str, line: int) -> Any:  # noqa: ANN401 - any JSON
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{label}, line {line + error.lineno - 1}: not JSON: {error.msg}",
            hint="write one object a line, or one list of objects",
        ) from error
    return parsed


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a pandas frame; an index that pandas stored in the file becomes columns again."""
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    if isinstance(frame.index, pd.RangeIndex):
        return frame
    if any(name is None for name in frame.index.names):
        return frame.reset_index(drop=True)
    return frame.reset_index()
