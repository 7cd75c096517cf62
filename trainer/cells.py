"""Reads the cells of a training table: one reader a column kind.

A cell that does not fit its column's kind is named with its line.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package.columns import (
    FLOAT32_MAX,
    MAX_CATEGORIES,
    NOT_ISO,
    CellArray,
    Kind,
    parse_instant,
)
from trainer.errors import DataError
from trainer.findings import Finding, refuse_findings
from trainer.tables.cell_meanings.cell_texts import cell_text
from trainer.tables.cell_meanings.date_texts import are_iso_dates
from trainer.tables.paste_lines import missing_line, type_line

MAX_SPELLINGS = 12
SAMPLED_TEXTS = 10_000
SENTENCE_WORDS = 4  # on average; names and addresses have fewer
TRUE_FALSE = frozenset({"true", "false"})
YES_NO = frozenset({"yes", "no"})
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


class BadCellError(DataError):
    """A cell does not fit its column's kind; `finding` says where, once `place_of` is known."""

    def __init__(self, column: str, position: int, problem: str, fixes: tuple[str, ...]) -> None:
        super().__init__(f"column {column}, row {position + 1}: {problem}", hint=" or ".join(fixes))
        self.column = column
        self.position = position
        self.problem = problem
        self.fixes = fixes

    def finding(self, place_of: Callable[[int], str]) -> Finding:
        """Return it as a finding; `place_of` tells where a row is."""
        problem = f"{place_of(self.position)} says {self.problem}"
        return Finding(self.column, problem, "refused", self.fixes)


def infer_kind(column: pd.Series) -> Kind:
    """Return a column's kind by its type and, where it holds texts, by what all of them say.

    Texts are boolean where all are true or false in any spelling, or yes or no in several ones;
    datetime where all are ISO 8601 dates; text where they are many and of several words; and else
    categorical.
    """
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "datetime"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        return "boolean"
    return _infer_from_texts(column.dropna())


def _infer_from_texts(present: pd.Series) -> Kind:
    distinct = pd.Series(present.unique()).astype(str)
    if distinct.empty:
        return "categorical"
    if _are_booleans(distinct):
        return "boolean"
    if are_iso_dates(distinct):
        return "datetime"
    if _are_sentences(distinct, len(present)):
        return "text"
    return "categorical"


def _are_booleans(distinct: pd.Series) -> bool:
    """Tell whether texts are all true or false; yes and no are categories in one spelling each."""
    if len(distinct) > MAX_SPELLINGS:
        return False
    spellings = set(distinct.str.strip().str.lower())
    return spellings <= TRUE_FALSE or (spellings <= YES_NO and len(distinct) > len(YES_NO))


def _are_sentences(distinct: pd.Series, rows: int) -> bool:
    """Tell whether texts are many and of several words: prose, not names of groups."""
    many = len(distinct) > MAX_CATEGORIES or len(distinct) > rows / 2
    if not many:
        return False
    words = distinct.head(SAMPLED_TEXTS).str.count(r"\S+")
    return bool(words.mean() >= SENTENCE_WORDS)


def read_cells(
    frame: pd.DataFrame, kinds: Mapping[str, Kind], place_of: Callable[[int], str], name: str
) -> dict[str, CellArray]:
    """Read the columns of a table, each by its kind.

    Args:
        frame: the table.
        kinds: column name -> kind.
        place_of: tells where a row is, by its position.
        name: the data set's, for the message.

    Raises:
        DataError: naming the first wrong cell of every column that has one.
    """
    cells: dict[str, CellArray] = {}
    findings = []
    for column, kind in kinds.items():
        try:
            cells[column] = CELL_READERS[kind](frame[column])
        except BadCellError as error:
            findings.append(error.finding(place_of))
    refuse_findings(name, findings)
    return cells


def read_numbers(column: pd.Series, *, fix: str = "") -> NDArray[np.float64]:
    """Return a column as float64, NaN for missing; `fix` is what helps if there is a bad cell.

    Raises:
        DataError: when a cell is not a number, not finite, or too large for the float32 that trees
            read.
    """
    numbers = pd.to_numeric(column, errors="coerce")
    _refuse_cells(column, numbers.isna() & column.notna(), "is not a number", fix)
    values: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    name = str(column.name)
    for wrong, what in (
        (np.isinf(values), "is not finite"),
        (np.abs(values) > FLOAT32_MAX, "is too large for float32"),
    ):
        fix = missing_line(name, map(str, np.unique(values[wrong])[:1]))
        _refuse_cells(column, wrong, what, fix)
    return values


def read_booleans(column: pd.Series) -> CellArray:
    """Return a column as objects: True, False, or None for missing.

    Raises:
        DataError: when a cell is none of `BOOLEANS`.
    """
    values = _convert_cells(column, lambda cell: BOOLEANS.get(str(cell).strip().lower()))
    unknown = pd.isna(values)
    _refuse_cells(column, column.notna().to_numpy() & unknown, "is not true or false")
    return values


def read_categories(column: pd.Series) -> CellArray:
    """Return a column as objects: str, or None for missing."""
    return _convert_cells(column, cell_text)


def read_datetimes(column: pd.Series) -> CellArray:
    """Return a column as datetime64[us] in UTC, NaT for missing; no zone means UTC.

    Raises:
        DataError: when a cell is not an ISO 8601 date or time.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column):
        return column.to_numpy(dtype="M8[us]")
    codes, distinct = pd.factorize(column)  # a time stands in many rows, and -1 is missing
    instants = np.full(len(distinct) + 1, np.datetime64("NaT", "us"), dtype="M8[us]")
    wrong = np.zeros(len(instants), dtype=bool)
    for i, cell in enumerate(distinct):
        try:
            instants[i] = np.datetime64(parse_instant(_as_iso_text(cell)), "us")
        except ValueError:
            wrong[i] = True
    _refuse_cells(column, wrong[codes], f"is {NOT_ISO}")
    return instants[codes]


CELL_READERS: Mapping[Kind, Callable[[pd.Series], CellArray]] = {
    "numeric": read_numbers,
    "boolean": read_booleans,
    "categorical": read_categories,
    "datetime": read_datetimes,
    "text": read_categories,
}


def _convert_cells(column: pd.Series, convert: Callable[[object], object]) -> CellArray:
    codes, distinct = pd.factorize(column)  # -1 is missing
    converted = np.full(len(distinct) + 1, None, dtype=object)
    converted[:-1] = [convert(cell) for cell in distinct]
    return converted[codes]


def _as_iso_text(cell: object) -> str:
    return cell.isoformat() if isinstance(cell, date) else str(cell).strip()


def _refuse_cells(column: pd.Series, wrong: Iterable[bool], what: str, fix: str = "") -> None:
    """Raise an error that names the first wrong cell and counts the others."""
    rows = np.flatnonzero(np.asarray(wrong))
    if not rows.size:
        return
    name = str(column.name)
    cell = str(column.iloc[rows[0]])
    more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
    fixes = (fix or type_line(name, "categorical"),)
    raise BadCellError(name, int(rows[0]), f"{cell!r}, which {what}{more}", fixes)
