"""Tables on the disk, in parts of bounded size: read as they are, written whole or not at all."""

import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from registry.atomic_files import atomic_file
from trainer.errors import DataError
from trainer.spec import DataSetSpec
from trainer.tables.csv_files.csv_file import find_form, text_parts
from trainer.tables.formats import MAGIC_BYTES, find_compression, find_format, open_plain
from trainer.tables.names import unique_names
from trainer.tables.parsed import Parsed
from trainer.tables.reading import decide_rows, read_rows
from trainer.tables.result import LaterRows, NumberedLines, NumberedRows
from trainer.tables.source import LocalFile, is_url

CELLS_AT_ONCE = 2_000_000
ROWS_AT_ONCE = 50_000
JSON_LINES = (".jsonl", ".ndjson")
JsonRow = dict[str, object]


@dataclass(frozen=True, slots=True)
class TablePart:
    """Some of a table's rows, in order.

    Attributes:
        frame: the rows; cells of columns that the model does not read are texts in a CSV file.
        place: names the place of a position in the file, such as "line 7".
    """

    frame: pd.DataFrame
    place: Callable[[int], str]


class TableFile(Protocol):
    """A table on the disk."""

    @property
    def names(self) -> Sequence[str]:
        """The columns' names, in order."""

    def parts(self, names: Sequence[str]) -> Iterator[TablePart]:
        """Read these columns, part after part; there is at least one part, which may be empty.

        Raises:
            DataError: when the file cannot be read.
        """


def open_table(spec: DataSetSpec) -> TableFile:
    """Find out what a table holds and how; a file of CSV, Parquet or JSON lines is read in parts.

    Args:
        spec: names the table, and says how the training table was read; see `table_spec`.

    Raises:
        DataError: when it cannot be read.
    """
    path = spec.folder / spec.source
    if is_url(spec.source) or not path.is_file():  # an address, a folder, a pattern, or nothing
        return _WholeTable(spec)
    file = LocalFile(path)
    with _as_data_errors(path):
        compression = find_compression(file, spec.read)
        with open_plain(file, compression) as stream:
            head = stream.read(MAGIC_BYTES)
        form, _ = find_format(file, head, spec.read)
        if form == "csv":
            return _CsvFile(file, compression, spec)
        if form == "parquet" and not compression:
            return _ParquetFile(path, spec)
        is_list = head.removeprefix(BOM_UTF8).lstrip().startswith(b"[")
        if form == "jsonlines" and not compression and not is_list:
            return _JsonLinesFile(path, spec)
        return _WholeTable(spec)


class _CsvFile:
    """A CSV file of any dialect; its cells are read as those of the training table were."""

    def __init__(self, file: LocalFile, compression: str, spec: DataSetSpec) -> None:
        self.file = file
        self.spec = spec
        header = spec.model_copy(update={"target": spec.features[0]})  # names the header's line
        self.form = find_form(file, compression, header)
        self.names = unique_names(self.form.layout.names, strip=spec.read.strip)

    def parts(self, names: Sequence[str]) -> Iterator[TablePart]:
        rows = self.form.rows(self.spec.read.comment)
        first = 0
        with _as_data_errors(self.file.path):
            for texts in text_parts(rows, self.form, self.names, names, _rows_at_once(names)):
                places = LaterRows(rows, first)
                yield _decided(Parsed(texts, places, marks=self.form.marks), names, self.spec)
                first += len(texts)


class _WholeTable:
    """A table that is read at once: Excel, Feather, JSON's list, compressed, remote, many files."""

    def __init__(self, spec: DataSetSpec) -> None:
        self.table = read_rows(spec)
        self.names = [str(name) for name in self.table.frame.columns]

    def parts(self, names: Sequence[str]) -> Iterator[TablePart]:
        yield TablePart(self.table.frame[list(names)], self.table.place_of)


class _ParquetFile:
    """A Parquet file; its cells have types, which mean what they mean in training."""

    def __init__(self, path: Path, spec: DataSetSpec) -> None:
        self.path = path
        self.spec = spec
        self.names = list(pq.read_schema(path).names)

    def parts(self, names: Sequence[str]) -> Iterator[TablePart]:
        with _as_data_errors(self.path), pq.ParquetFile(self.path) as file:
            first = 0
            for batch in file.iter_batches(_rows_at_once(names), columns=list(names)):
                frame = batch.to_pandas(date_as_object=False)
                yield _decided(Parsed(frame, NumberedRows(first + 1)), names, self.spec)
                first += batch.num_rows
            if first == 0:
                empty = file.schema_arrow.empty_table().to_pandas()
                yield TablePart(empty[list(names)], NumberedRows().place_of)


class _JsonLinesFile:
    """An object a line; a name that any of them has is a column, as in training."""

    def __init__(self, path: Path, spec: DataSetSpec) -> None:
        self.path = path
        self.spec = spec
        self.names = list(dict.fromkeys(name for _, row in self._rows() for name in row))

    def parts(self, names: Sequence[str]) -> Iterator[TablePart]:
        at_once = _rows_at_once(names)
        rows: list[JsonRow] = []
        lines: list[int] = []
        complete = False
        with _as_data_errors(self.path):
            for line, row in self._rows():
                rows.append(row)
                lines.append(line)
                complete = len(rows) == at_once
                if complete:
                    yield self._part(rows, lines, names)
                    rows = []
                    lines = []
            if not complete:
                yield self._part(rows, lines, names)

    def _rows(self) -> Iterator[tuple[int, JsonRow]]:
        """Yield each line's number and object; blank lines are none."""
        with self.path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                content = text.removeprefix(BOM_UTF8)
                if not content.strip():
                    continue
                try:
                    row = msgspec.json.decode(content, type=JsonRow)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise DataError(
                        f"{self.path}, line {line}: not a JSON object: {error}",
                        hint="write one object a line, or one list of objects",
                    ) from error
                yield line, row

    def _part(self, rows: list[JsonRow], lines: list[int], names: Sequence[str]) -> TablePart:
        frame = pd.DataFrame(
            {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names}
        )
        return _decided(Parsed(frame, NumberedLines(tuple(lines))), names, self.spec)


def _decided(parsed: Parsed, names: Sequence[str], spec: DataSetSpec) -> TablePart:
    """Return the rows of one part, whose columns mean what they would mean in training."""
    table = decide_rows(parsed, spec)
    return TablePart(table.frame[list(names)], parsed.places.place_of)


def _rows_at_once(names: Sequence[str]) -> int:
    return max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(1, len(names))))


@contextmanager
def _as_data_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", hint="check the path") from error
    except (ValueError, pd.errors.ParserWarning, pa.ArrowException, msgspec.MsgspecError) as error:
        raise DataError(
            f"{path}: not a readable table: {str(error).strip()}",
            hint="check that it is a table: CSV, Parquet, Feather, Excel or JSON",
        ) from error


class TableWriter(Protocol):
    """Writes a table, part after part; all parts have the same columns."""

    def write(self, frame: pd.DataFrame) -> None:
        """Append rows."""

    def close(self) -> None:
        """Write what is left; the file itself stays open."""


@contextmanager
def table_writer(path: Path | None, *, json_lines: bool = False) -> Iterator[TableWriter]:
    """Write a table while the block runs; a file appears, complete, when the block has ended well.

    Args:
        path: a Parquet or JSON lines file by its ending, otherwise CSV; None for stdout.
        json_lines: JSON lines on stdout instead of CSV.

    Raises:
        StoreError: when the file cannot be written.
    """
    if path is None:
        yield (_JsonLinesWriter if json_lines else _CsvWriter)(sys.stdout.buffer)
        sys.stdout.flush()
        return
    with atomic_file(path) as file:
        writer = _writer_kind(path)(file)
        try:
            yield writer
        finally:
            writer.close()


def _writer_kind(path: Path) -> Callable[[BinaryIO], TableWriter]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _ParquetWriter
    if suffix in JSON_LINES:
        return _JsonLinesWriter
    return _CsvWriter


class _CsvWriter:
    """Numbers are written so that they read back to the bit."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.header = True

    def write(self, frame: pd.DataFrame) -> None:
        text = frame.to_csv(index=False, header=self.header, lineterminator="\n")
        self.header = False
        self.file.write(text.encode())

    def close(self) -> None:
        pass


class _JsonLinesWriter:
    """An object a row."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.encoder = msgspec.json.Encoder()

    def write(self, frame: pd.DataFrame) -> None:
        self.file.write(self.encoder.encode_lines(frame.to_dict(orient="records")))

    def close(self) -> None:
        pass


class _ParquetWriter:
    """The file's types are those of the first parts, as soon as each column has a value."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.writer: pq.ParquetWriter | None = None
        self.waiting: list[pa.Table] = []

    def write(self, frame: pd.DataFrame) -> None:
        if self.writer:
            self.writer.write_table(_with_types(frame, self.writer.schema))
            return
        table = _with_types(frame, None)
        schema = _joined_schema([*self.waiting, table])
        self.waiting.append(table)
        if pa.null() not in schema.types:
            self._begin(schema)

    def _begin(self, schema: pa.Schema) -> None:
        self.writer = pq.ParquetWriter(self.file, schema)
        for table in self.waiting:
            self.writer.write_table(table.cast(schema))
        self.waiting = []

    def close(self) -> None:
        if self.writer is None and self.waiting:  # a column has no value at all
            self._begin(_joined_schema(self.waiting))
        if self.writer:
            self.writer.close()


def _with_types(frame: pd.DataFrame, schema: pa.Schema | None) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, schema, preserve_index=False)
    except (pa.ArrowException, TypeError) as error:
        raise _changed_type(str(error)) from error


def _joined_schema(tables: Sequence[pa.Table]) -> pa.Schema:
    try:
        return pa.unify_schemas([table.schema for table in tables])
    except pa.ArrowException as error:
        raise _changed_type(str(error)) from error


def _changed_type(reason: str) -> DataError:
    return DataError(
        f"a kept column has cells of several types, and Parquet takes one: {reason}",
        hint="write CSV or JSON lines: -o predictions.csv, -o predictions.jsonl",
    )
