"""How a table for a package is read: as the table that it was trained on."""

from pathlib import Path

from registry.package import COLUMN_KINDS, Column, Manifest
from trainer.spec import ColumnSpec, DataSetSpec, ReadSpec
from trainer.tables.source import is_url

# What a spec says of one file alone: another file tells these by its first bytes, or is refused.
_OF_ONE_FILE = ("format", "compression", "encoding", "query", "footer", "bad_lines")


def table_spec(
    manifest: Manifest,
    source: str | Path,
    known: DataSetSpec | None = None,
    *,
    query: str = "",
) -> DataSetSpec:
    """Return a spec by which a table is read as the training table was.

    Args:
        manifest: the package's.
        source: the table: a path, or a URL.
        known: the data set's spec, if it is still known. What it states of the dialect and of
            dates holds for this table too; the rest is found out.
        query: the SQL whose rows are the table, where `source` is a database's address.
    """
    columns = {column.name: _column_spec(column, manifest, known) for column in manifest.columns}
    path = Path(source)
    name = path.name
    folder = path.parent
    if is_url(str(source)):
        name = str(source)
        folder = Path()
    return DataSetSpec(
        name=manifest.name,
        source=name,
        folder=folder,
        target=manifest.target,
        task=manifest.task,
        features=tuple(column.name for column in manifest.columns),
        missing=manifest.texts.missing,
        read=_read_spec(manifest, known, query),
        columns=columns,
    )


def _read_spec(manifest: Manifest, known: DataSetSpec | None, query: str) -> ReadSpec:
    if known is None:
        return ReadSpec(strip=manifest.texts.strip, query=query)
    defaults = {name: ReadSpec.model_fields[name].default for name in _OF_ONE_FILE}
    return known.read.model_copy(update={**defaults, "strip": manifest.texts.strip, "query": query})


def _column_spec(column: Column, manifest: Manifest, known: DataSetSpec | None) -> ColumnSpec:
    missing = manifest.texts.missing_in.get(column.name, ())
    if COLUMN_KINDS[column.kind].json_type != "string":
        return ColumnSpec(missing=missing)
    date_format = ""
    if known and column.name in known.columns:
        date_format = known.columns[column.name].date_format
    # With its type stated, "007" is not 7.
    return ColumnSpec(type=column.kind, missing=missing, date_format=date_format)
