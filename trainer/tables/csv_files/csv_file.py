"""Reads CSV files by pandas, after finding out what the spec leaves open."""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TextIO, TypedDict

import pandas as pd
from pandas.api.types import is_numeric_dtype

from registry.package import COLUMN_KINDS
from trainer.errors import DataError
from trainer.spec import DataSetSpec
from trainer.tables.cell_meanings.missing import pandas_markers
from trainer.tables.cell_meanings.number_marks import Marks, sample_marks
from trainer.tables.csv_files.csv_dialect import SPACES, Dialect, find_dialect
from trainer.tables.csv_files.csv_header import Layout, find_layout
from trainer.tables.csv_files.csv_lines import CsvRows
from trainer.tables.csv_files.encoding import FALLBACK, UTF8, find_encoding
from trainer.tables.formats import open_plain
from trainer.tables.names import describe_names, refuse_second_target, unique_names
from trainer.tables.parsed import Parsed
from trainer.tables.paste_lines import type_line
from trainer.tables.source import SourceFile

_HEAD_BYTES = 1 << 18
_SEPARATOR_NAMES = {"\t": "tab", SPACES: "spaces"}
_PADDED = re.compile(r"0\d+")
_LONG = re.compile(r"[-+]?\d{20,}")
# More than this would be a habit of the file, not a fault.
_NAMED_LINES = 5


class PandasOptions(TypedDict):
    """Options of `pandas.read_csv` that every reading of one file shares."""

    sep: str
    header: None
    index_col: Literal[False]
    keep_default_na: bool
    quotechar: str
    escapechar: str | None
    doublequote: bool
    skipinitialspace: bool


@dataclass(frozen=True, slots=True)
class CsvForm:
    """All that is known of a CSV file before pandas reads it.

    Attributes:
        marks: how its numbers are written.
        spaced: whether spaces stand after its separators.
        padded: columns whose numbers have leading zeros.
        long: positions of columns whose integers float64 would round; they are texts.
    """

    file: SourceFile
    compression: str
    encoding: str
    dialect: Dialect
    layout: Layout
    marks: Marks
    spaced: bool = False
    padded: tuple[str, ...] = ()
    long: tuple[int, ...] = ()

    def open_text(self) -> TextIO:
        """Open its text at the beginning; line breaks stay as they are."""
        stream = open_plain(self.file, self.compression)
        return io.TextIOWrapper(stream, encoding=self.encoding, newline="")

    def rows(self, comment: str) -> CsvRows:
        """Return the rows below the header."""
        return CsvRows(self.open_text, self.dialect, self.layout.rows_begin, comment)


def read_csv(file: SourceFile, compression: str, spec: DataSetSpec) -> Parsed:
    """Read a CSV file.

    Raises:
        DataError: when it holds no rows, or rows of unequal length.
    """
    form = find_form(file, compression, spec)
    try:
        frame, rows, notes = _parse(form, spec)
    except UnicodeDecodeError as error:
        if form.encoding != UTF8:
            raise DataError(
                f"{file.label}: not readable as {form.encoding}: {error}",
                hint="state read.encoding, or save the file as UTF-8",
            ) from error
        form = replace(form, encoding=FALLBACK)  # valid UTF-8 in its first part alone
        frame, rows, notes = _parse(form, spec)
    if frame.empty:
        raise DataError(f"{file.label}: no rows", hint="is there more than a header?")
    named = describe_names(form.layout.names, list(frame.columns))
    padded = _describe_padded(form, frame, spec)
    return Parsed(frame, rows, (*_describe_form(form), *named, *padded, *notes), form.marks)


def find_form(file: SourceFile, compression: str, spec: DataSetSpec) -> CsvForm:
    """Find out encoding, dialect and header of a CSV file by its first part.

    Raises:
        DataError: when it is empty or no text.
    """
    with open_plain(file, compression) as stream:
        head = stream.read(_HEAD_BYTES)
    encoding = find_encoding(head, spec.read.encoding, file.label)
    text = head.decode(encoding, errors="ignore")
    if len(head) == _HEAD_BYTES:
        text = text[: text.rfind("\n") + 1]
    if not text.strip():
        raise DataError(f"{file.label}: no rows", hint="the file is empty")
    dialect = find_dialect(text, spec.read, spec.target)
    layout = find_layout(text, dialect, spec.read, spec.target)
    columns = _columns_of(text, dialect, layout)
    return CsvForm(
        file,
        compression,
        encoding,
        dialect,
        layout,
        sample_marks(columns, spec.read),
        spaced=dialect.strip and text.count(f"{dialect.separator} ") > text.count("\n"),
        padded=tuple(layout.names[position] for position in _matching(columns, _PADDED)),
        long=_matching(columns, _LONG),
    )


def _matching(columns: list[list[str]], pattern: re.Pattern[str]) -> tuple[int, ...]:
    """Return the positions of the columns that have a cell of this form."""
    return tuple(
        position
        for position, cells in enumerate(columns)
        if any(pattern.fullmatch(cell.strip()) for cell in cells)
    )


def _columns_of(text: str, dialect: Dialect, layout: Layout) -> list[list[str]]:
    lines = text.splitlines(keepends=True)[layout.rows_begin :]
    width = len(layout.names)
    rows = [cells for _, cells in dialect.records(lines) if len(cells) == width]
    return [list(column) for column in zip(*rows, strict=True)]


def _parse(form: CsvForm, spec: DataSetSpec) -> tuple[pd.DataFrame, CsvRows, list[str]]:
    rows = form.rows(spec.read.comment)
    refuse_second_target(form.layout.names, spec.target, form.file.label)
    names = unique_names(form.layout.names, strip=spec.read.strip)
    if spec.read.bad_lines == "drop":
        return _parse_even(form, rows, names, spec)
    try:
        with form.open_text() as stream:
            frame = _by_pandas(_without_head(stream, rows), form, names, spec)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        _refuse_uneven(form, rows, len(names))
        reason = str(error).removeprefix("Error tokenizing data. ").removeprefix("C error: ")
        raise DataError(
            f"{form.file.label}: not a readable CSV file: {reason.strip()}",
            hint="state separator and quote under [read]",
        ) from error
    if len(frame) and frame.iloc[:, -1].isna().any():  # a short row has its last cell missing
        _refuse_uneven(form, rows, len(names))
    return frame, rows, []


def _parse_even(
    form: CsvForm, rows: CsvRows, names: list[str], spec: DataSetSpec
) -> tuple[pd.DataFrame, CsvRows, list[str]]:
    """Read only the rows that are as long as the header."""
    width = len(names)
    uneven = rows.uneven(width)
    if not uneven:
        with form.open_text() as stream:
            return _by_pandas(_without_head(stream, rows), form, names, spec), rows, []
    text = io.StringIO("".join(rows.even_texts(width)))
    lines = ", ".join(str(record.line) for record in uneven[:_NAMED_LINES])
    more = "" if len(uneven) <= _NAMED_LINES else ", ..."
    note = f"{len(uneven)} lines have not {width} cells and are left out: {lines}{more}"
    return _by_pandas(text, form, names, spec), replace(rows, width=width), [note]


def _by_pandas(stream: TextIO, form: CsvForm, names: list[str], spec: DataSetSpec) -> pd.DataFrame:
    texts = [  # "007" is not 7
        name
        for name, column in spec.columns.items()
        if name in names and column.type and COLUMN_KINDS[column.type].json_type == "string"
    ]
    texts += [names[position] for position in form.long]
    with _long_rows_refused():
        try:
            return pd.read_csv(
                stream,
                names=names,
                dtype=dict.fromkeys(texts, str),
                na_values=pandas_markers(spec, names),
                decimal=form.marks.pandas_decimal,
                # True would type the file in chunks: a text would depend on the file's length.
                low_memory=False,
                **_pandas_dialect(form.dialect),
            )
        except pd.errors.EmptyDataError:
            return pd.DataFrame(columns=names)


def text_parts(
    rows: CsvRows, form: CsvForm, names: list[str], wanted: Sequence[str], size: int
) -> Iterator[pd.DataFrame]:
    """Read a CSV file part after part; cells are the texts they are, empty ones too.

    Args:
        rows: the file's, below its header.
        form: the file's.
        names: its columns' names.
        wanted: the columns to read; a part has them in the file's order.
        size: rows of a part, at most.

    Raises:
        pandas.errors.ParserError, ParserWarning: when a row is longer than the header.
    """
    with form.open_text() as stream:
        try:
            parts = pd.read_csv(
                _without_head(stream, rows),
                names=names,
                usecols=list(wanted),
                dtype=str,
                chunksize=size,
                **_pandas_dialect(form.dialect),
            )
        except pd.errors.EmptyDataError:
            yield pd.DataFrame(columns=list(wanted), dtype=str)
            return
        while True:
            with _long_rows_refused():
                part = next(parts, None)
            if part is None:
                return
            yield part.reset_index(drop=True)


@contextmanager
def _long_rows_refused() -> Iterator[None]:
    with warnings.catch_warnings():
        # Without this, cells beyond the header would be cut off.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        yield


def _pandas_dialect(dialect: Dialect) -> PandasOptions:
    return {
        "sep": dialect.separator,
        "header": None,
        "index_col": False,
        "keep_default_na": False,
        "quotechar": dialect.quote,
        "escapechar": dialect.escape or None,
        "doublequote": not dialect.escape,
        "skipinitialspace": dialect.strip,
    }


def _without_head(stream: TextIO, rows: CsvRows) -> TextIO:
    for _ in range(rows.skipped):
        stream.readline()
    if not rows.comment:
        return stream
    return io.StringIO("".join(_uncommented(stream, rows.comment)))


def _uncommented(stream: TextIO, comment: str) -> Iterator[str]:
    return (line for line in stream if not line.startswith(comment))


def _refuse_uneven(form: CsvForm, rows: CsvRows, width: int) -> None:
    """Raise a DataError if rows have another number of cells than the header."""
    uneven = rows.uneven(width)
    if not uneven:
        return
    first = uneven[0]
    what = f"line {first.line} has {first.width} cells, the header has {width}"
    if not form.layout.header:
        what = f"line {first.line} has {first.width} cells, the first row has {width}"
    total = sum(1 for _ in rows.records())
    if len(uneven) == total and first.filled > width:
        raise DataError(
            f"{form.file.label}: rows have more cells than the header: {what}",
            hint="give every column a name",
        )
    raise DataError(
        f"{form.file.label}: {what} ({len(uneven)} of {total} rows are uneven)",
        hint="fix the lines (quote a cell that holds the separator, write the empty cells), "
        'or write into the spec: read.bad_lines = "drop"; if all cells of a line look alike, '
        "state read.separator",
    )


def _describe_form(form: CsvForm) -> Iterator[str]:
    found = []
    if form.dialect.separator != ",":
        shown = _SEPARATOR_NAMES.get(form.dialect.separator, repr(form.dialect.separator))
        found.append(f"separator {shown}")
    if form.marks.pandas_decimal == ",":
        found.append("decimal comma")
    if form.dialect.quote != '"':
        found.append(f"quote {form.dialect.quote}")
    if form.encoding != UTF8:
        found.append(f"encoding {form.encoding}")
    if form.compression:
        found.append(form.compression)
    if found:
        yield f"{form.file.name} is read with {', '.join(found)}"
    if form.spaced:
        yield "spaces after separators are taken off; read.strip = false keeps them"
    if form.layout.preamble:
        first = form.layout.preamble[0][:60]
        count = len(form.layout.preamble)
        what = "line above the table is" if count == 1 else "lines above the table are"
        yield f"{count} {what} not read: {first!r}"
    if not form.layout.header:
        last = len(form.layout.names)
        yield f"there is no header: the columns are called column_1 to column_{last}"


def _describe_padded(form: CsvForm, frame: pd.DataFrame, spec: DataSetSpec) -> Iterator[str]:
    """Yield a note on each column whose leading zeros are lost, as in the code 007."""
    for name in map(str.strip, form.padded):
        if name in frame and name not in spec.drop and is_numeric_dtype(frame[name]):
            yield (
                f"{name}: read as numbers without their leading zeros; "
                f"{type_line(name, 'categorical')} keeps them as texts"
            )
