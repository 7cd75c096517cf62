"""Reads a data set's table: finds its files, reads them, and decides its columns."""

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from zipfile import BadZipFile

import pandas as pd

from trainer.errors import DataError
from trainer.findings import refuse_findings
from trainer.spec import DataSetSpec
from trainer.tables.columnar_file import read_feather, read_json, read_parquet
from trainer.tables.csv_files.csv_file import read_csv
from trainer.tables.excel_file import read_excel
from trainer.tables.formats import (
    MAGIC_BYTES,
    find_compression,
    find_format,
    is_database,
    open_plain,
)
from trainer.tables.packages import require_package
from trainer.tables.parsed import Parsed
from trainer.tables.result import JoinedRows, ReadTable
from trainer.tables.shipped import read_shipped
from trainer.tables.source import SourceFile, find_files
from trainer.tables.table_columns import read_columns
from trainer.tables.table_rows import drop_empty_parts, leave_out_gaps

_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, BadZipFile)


def read_table(spec: DataSetSpec) -> ReadTable:
    """Read the source and decide what its columns say.

    The result's findings are not raised yet: who drops a column for another reason needs no
    decision about it. See `trainer.findings.refuse_findings`.

    Raises:
        DataError: when the source is missing, unreadable, empty, or lacks a column that the spec
            names.
    """
    parsed = drop_empty_parts(_without_footer(_read_source(spec), spec), spec)
    _check_columns(parsed, spec)
    parsed, findings = read_columns(parsed, spec)
    table = ReadTable(parsed.frame, parsed.notes, findings, parsed.places)
    return leave_out_gaps(table, spec)


def read_rows(spec: DataSetSpec) -> ReadTable:
    """Read rows to predict, all of them: neither a target nor any column has to be there.

    Raises:
        DataError: when the source is missing, unreadable or empty, or ends with a row of totals.
    """
    return decide_rows(_read_source(spec), spec)


def decide_rows(parsed: Parsed, spec: DataSetSpec) -> ReadTable:
    """Decide what the cells of rows to predict say; texts that do not fit stay texts.

    Raises:
        DataError: when they end with a row of totals.
    """
    if parsed.frame.empty:
        return ReadTable(parsed.frame, parsed.notes, places=parsed.places)
    decided, findings = read_columns(parsed, spec)
    if len(decided.frame) < len(parsed.frame):
        refuse_findings(spec.source, findings)
    return ReadTable(decided.frame, decided.notes, findings, decided.places)


def _read_source(spec: DataSetSpec) -> Parsed:
    if spec.source.startswith("sklearn:"):
        return read_shipped(spec.source.removeprefix("sklearn:"), spec.target)
    if is_database(spec):
        require_package("sqlalchemy", "a database")
        from trainer.tables.database import read_query  # noqa: PLC0415 - imports an extra

        return read_query(spec)
    files = find_files(spec.source, spec.folder)
    parts = [_read_file(file, spec) for file in files]
    if len(parts) == 1:
        return parts[0]
    return _join_parts(files, parts)


def _read_file(file: SourceFile, spec: DataSetSpec) -> Parsed:
    try:
        return _read_format(file, spec)
    except _DAMAGED as error:
        raise DataError(
            f"{file.label}: damaged, or not what its name says: {error}",
            hint="export or download it again",
        ) from error


def _read_format(file: SourceFile, spec: DataSetSpec) -> Parsed:
    compression = find_compression(file, spec.read)
    with open_plain(file, compression) as stream:
        head = stream.read(MAGIC_BYTES)
    form, note = find_format(file, head, spec.read)
    if form == "csv":
        parsed = read_csv(file, compression, spec)
    else:
        with open_plain(file, compression) as stream:
            if form == "parquet":
                parsed = read_parquet(stream, file.label)
            elif form == "feather":
                parsed = read_feather(stream, file.label)
            elif form == "excel":
                parsed = read_excel(stream, file.label, spec)
            else:
                parsed = read_json(stream, file.label)
    if note:
        return replace(parsed, notes=(note, *parsed.notes))
    return parsed


def _join_parts(files: Sequence[SourceFile], parts: Sequence[Parsed]) -> Parsed:
    """Put the rows of several files one after the other; all must have the same columns."""
    first = parts[0].frame
    for file, part in zip(files, parts, strict=True):
        differing = set(map(str, first.columns)) ^ set(map(str, part.frame.columns))
        if differing:
            raise DataError(
                f"{file.label}: its columns differ from those of {files[0].label}: "
                f"{', '.join(sorted(differing))}",
                hint="name only files of one table in `source`",
            )
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    places = JoinedRows(
        tuple(file.name for file in files),
        tuple(part.places for part in parts),
        tuple(len(part.frame) for part in parts),
    )
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    return Parsed(
        frame, places, (f"{len(files)} files are read as one table", *notes), parts[0].marks
    )


def _without_footer(parsed: Parsed, spec: DataSetSpec) -> Parsed:
    if not spec.read.footer:
        return parsed
    return replace(parsed, frame=parsed.frame.iloc[: -spec.read.footer])


def _meant(missing: Sequence[str], present: Sequence[str]) -> str:
    """Return what the names may have been meant to be, where that is plain; else nothing."""
    by_case = {name.lower(): name for name in present}
    for name in missing:
        if close := get_close_matches(name.lower(), by_case, n=1, cutoff=0.8):
            return f"did you mean {by_case[close[0]]}? "
    return ""


def _check_columns(parsed: Parsed, spec: DataSetSpec) -> None:
    present = [str(name) for name in parsed.frame.columns]
    named = {spec.target, *spec.features, *spec.drop, *spec.columns, *spec.split.by}
    named |= {spec.weight, spec.split.time} - {""}
    if missing := sorted(named - set(present)):
        hint = f"{_meant(missing, present)}columns: {', '.join(present)}"
        if len(present) == 1 and spec.target in present[0]:
            hint += "; all cells are in one column: state read.separator in a spec"
        if present[0] == "column_1":
            hint += "; there is no header: use these names, or put a line of names on top"
        raise DataError(f"{spec.source}: no column {', '.join(missing)}", hint=hint)
    if spec.target in {*spec.features, *spec.drop}:
        raise DataError(f"{spec.name}: the target {spec.target} is also a feature or dropped")
