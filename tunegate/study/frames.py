"""DataFrames of pandas, polars and pyarrow: taken in as tables, and turned into pandas' own."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from registry.atomic_files import write_atomic
from trainer.tables import frame_to_arrow
from trainer.tables.arrow_frames import with_plain_names


def to_pandas(rows: object, known: Collection[str]) -> pd.DataFrame:
    """Return rows as a DataFrame whose columns are called as training has called them.

    Args:
        rows: a DataFrame of pandas, polars or pyarrow (whatever exports an Arrow stream), a list of
            dicts, one dict, or a Series, which is one row: `frame.iloc[0]`.
        known: the model's columns; a second "size" is "size.1" where the model has such a column.

    Raises:
        DataError: when it is none of these.
    """
    if isinstance(rows, pd.DataFrame):
        named = with_plain_names(rows)
        numbered = set(named.columns) - set(map(str, rows.columns)) - set(rows.index.names)
        if numbered & set(known) or len(set(rows.columns)) == len(rows.columns):
            return named
        return rows  # which of them is meant is for the user to say
    if isinstance(rows, pd.Series):
        return rows.to_frame().T
    if isinstance(rows, Mapping):
        return pd.DataFrame([dict(rows)])
    if isinstance(rows, list | tuple) and all(isinstance(row, Mapping) for row in rows):
        return pd.DataFrame([dict(row) for row in rows])
    frame: pd.DataFrame = frame_to_arrow(rows).to_pandas()
    return frame


def keep_frame(frame: object, folder: Path) -> Path:
    """Write a DataFrame as a Parquet file that is named by its content; return the file.

    Raises:
        DataError: as `trainer.tables.frame_to_arrow` does.
        StoreError: when the folder cannot be written.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(frame_to_arrow(frame).replace_schema_metadata(None), sink)
    content = sink.getvalue().to_pybytes()
    path = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    return path
