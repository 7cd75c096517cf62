"""Reads a sheet of an Excel workbook by openpyxl."""

from collections.abc import Sequence
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from trainer.errors import DataError
from trainer.spec import DataSetSpec
from trainer.tables.names import describe_names, refuse_second_target, unique_names
from trainer.tables.packages import require_package
from trainer.tables.parsed import Parsed
from trainer.tables.result import NumberedRows


def read_excel(stream: BinaryIO, label: str, spec: DataSetSpec) -> Parsed:
    """Read the sheet that the spec names, or the first that has its target or its features.

    Where no sheet has them, the first is read.

    Raises:
        DataError: when openpyxl is not installed, or the sheet is missing, empty or damaged.
    """
    require_package("openpyxl", label)
    try:
        workbook = pd.ExcelFile(stream, engine="openpyxl")
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{label}: not a readable Excel file: {error}") from error
    sheets = [str(name) for name in workbook.sheet_names]
    if spec.read.sheet and spec.read.sheet not in sheets:
        raise DataError(
            f"{label}: no sheet {spec.read.sheet!r}", hint=f"sheets: {', '.join(sheets)}"
        )
    sheet, cells = _find_sheet(workbook, sheets, spec)
    if cells.empty:
        raise DataError(f"{label}: no rows in sheet {sheet!r}", hint="name another by read.sheet")
    parsed = _below_header(cells, label, spec)
    if parsed.frame.empty:
        raise DataError(f"{label}: no rows in sheet {sheet!r}", hint="is there more than a header?")
    if len(sheets) > 1 and not spec.read.sheet:
        others = ", ".join(name for name in sheets if name != sheet)
        note = f"sheet {sheet!r} is read; others: {others}"
        return Parsed(parsed.frame, parsed.places, (*parsed.notes, note))
    return parsed


def _find_sheet(
    workbook: pd.ExcelFile, sheets: Sequence[str], spec: DataSetSpec
) -> tuple[str, pd.DataFrame]:
    if spec.read.sheet or len(sheets) == 1:
        sheet = spec.read.sheet or sheets[0]
        return sheet, _read_cells(workbook, sheet)
    first = _read_cells(workbook, sheets[0])
    for sheet in sheets:
        cells = first if sheet == sheets[0] else _read_cells(workbook, sheet)
        texts = {str(cell).strip() for cell in cells.to_numpy().ravel()}
        if spec.target in texts or (spec.features and texts.issuperset(spec.features)):
            return sheet, cells
    return sheets[0], first


def _read_cells(workbook: pd.ExcelFile, sheet: str) -> pd.DataFrame:
    cells = pd.read_excel(
        workbook, sheet, header=None, dtype=object, keep_default_na=False, na_values=[""]
    )
    return cells.dropna(axis="columns", how="all")


def _below_header(cells: pd.DataFrame, label: str, spec: DataSetSpec) -> Parsed:
    """Split the header, which names the target, from what stands above and below it."""
    filled = cells.notna().sum(axis=1)
    is_header = cells.map(lambda cell: str(cell).strip() == spec.target).any(axis=1)
    if spec.read.header is False:
        names = [f"column_{number}" for number in range(1, cells.shape[1] + 1)]
        return _typed(cells, names, NumberedRows(1), [])
    row = int(np.argmax(filled.to_numpy() == filled.max()))
    if is_header.any():
        row = int(np.argmax(is_header.to_numpy()))
    written = ["" if pd.isna(cell) else str(cell) for cell in cells.iloc[row].to_list()]
    notes = []
    if row:
        first = next((str(cell) for cell in cells.iloc[0] if pd.notna(cell)), "")
        notes.append(f"{row} rows above the table are not read: {first[:60]!r}")
    refuse_second_target(written, spec.target, label)
    names = unique_names(written, strip=spec.read.strip)
    notes += describe_names(written, names)
    return _typed(cells.iloc[row + 1 :], names, NumberedRows(row + 2), notes)


def _typed(
    cells: pd.DataFrame, names: Sequence[str], places: NumberedRows, notes: Sequence[str]
) -> Parsed:
    frame = cells.set_axis(list(names), axis="columns").reset_index(drop=True).infer_objects()
    return Parsed(frame, places, tuple(notes))
