"""Turns a frame that a program holds into Arrow's table, which Parquet keeps as it is."""

import pandas as pd
import pyarrow as pa

from trainer.errors import DataError
from trainer.tables.names import unique_names


def frame_to_arrow(frame: object) -> pa.Table:
    """Return a frame of pandas, polars or pyarrow (whatever exports an Arrow stream) as a table.

    Categories, dates, gaps and nullable types stay. An index of pandas with a name becomes a
    column, another is left out. Columns are called by their texts, and a second "size" by
    "size.1". A column of intervals, or one that mixes numbers and texts, becomes texts, as in a
    CSV file.

    Raises:
        DataError: when it is none of these, or a column mixes types that a table cannot hold.
    """
    try:
        if isinstance(frame, pd.DataFrame):
            return _from_pandas(frame)
        if hasattr(frame, "__arrow_c_stream__") and type(frame).__name__ != "Series":
            return _with_plain_texts(pa.table(frame))
    except (pa.ArrowException, TypeError) as error:
        raise DataError(
            f"this frame cannot be kept as a table: {error}",
            hint="let each column have one type: frame[name] = frame[name].astype(...)",
        ) from error
    raise DataError(
        f"a {type(frame).__name__} is no table",
        hint="give a path, or a DataFrame of pandas, polars or pyarrow",
    )


def _with_plain_texts(table: pa.Table) -> pa.Table:
    """Return the table with texts as Parquet's writer takes them; polars has views of them."""
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
            chunks = [
                pa.DictionaryArray.from_arrays(each.indices, each.dictionary.cast(pa.string()))
                for each in column.chunks
            ]
            plain = pa.chunked_array(chunks, pa.dictionary(column.type.index_type, pa.string()))
            table = table.set_column(place, table.column_names[place], plain)
    return table


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    named = with_plain_names(frame)
    texts = {
        name: named[name].astype(object).map(str, na_action="ignore")
        for name in named.columns
        if _is_mixed(named[name]) or _holds_intervals(named[name])
    }
    return pa.Table.from_pandas(named.assign(**texts), preserve_index=False)


def with_plain_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns are called by texts, each by another one.

    An index with a name becomes a column, and stays the index as well.
    """
    named = frame
    if any(name is not None for name in frame.index.names):
        named = frame.reset_index(allow_duplicates=True).set_axis(frame.index)
    names = unique_names([str(name) for name in named.columns], strip=False)
    return named.set_axis(names, axis="columns")


def _holds_intervals(column: pd.Series) -> bool:
    """Tell whether a column holds intervals, as `pd.cut` makes them; Parquet has no such type."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    return isinstance(dtype, pd.IntervalDtype)


def _is_mixed(column: pd.Series) -> bool:
    """Tell whether a column holds numbers and texts; a CSV file would hold their texts."""
    return bool(
        pd.api.types.is_object_dtype(column)
        and pd.api.types.infer_dtype(column, skipna=True) in {"mixed", "mixed-integer"}
    )
