"""Tells what a file holds by its first bytes, and by its name where those leave it open."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable
from typing import BinaryIO, Literal, cast

import pyarrow as pa

from trainer.errors import DataError
from trainer.spec import DataSetSpec, ReadSpec
from trainer.tables.source import SourceFile

Format = Literal["csv", "parquet", "feather", "excel", "jsonlines"]
MAGIC_BYTES = 1024
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
    ".ipc": "feather",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".jsonl": "jsonlines",
    ".ndjson": "jsonlines",
    ".json": "jsonlines",
}
_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_DATABASE = re.compile(
    r"(sqlite|postgres(ql)?|mysql|mariadb|mssql|oracle|duckdb|snowflake|bigquery|redshift)(\+\w+)?:",
)
_COMPRESSION_ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
_SPELLINGS = {"gz": "gzip", "zst": "zstd"}
# What is no table, by its first bytes: a name for it and what to do.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an Excel file of the old kind (.xls)", "save it as .xlsx"),
    (b"SQLite format 3\x00", "an SQLite database", 'set source = "sqlite:///FILE" and read.query'),
    (b"version https://git-lfs", "a pointer of Git LFS, in place of the file", "run git lfs pull"),
    (b"%PDF", "a PDF document", "export its table as CSV"),
    (b"\x89PNG", "a PNG image", "check `source`"),
    (b"\x89HDF", "an HDF5 file", "save its table as Parquet"),
    (b"\x80\x04", "a Python pickle, which is not safe to read", "save its table as Parquet"),
    (b"\x80\x05", "a Python pickle, which is not safe to read", "save its table as Parquet"),
    (b"{\\rtf", "a text document (RTF)", "export its table as CSV"),
)


def is_database(spec: DataSetSpec) -> bool:
    """Tell whether a spec's source is a database's address."""
    return bool(_DATABASE.match(spec.source)) or spec.read.format == "sql" or bool(spec.read.query)


def find_compression(file: SourceFile, read: ReadSpec) -> str:
    """Return gzip, bz2, xz, zstd, zip, or nothing; an Excel file is not taken for an archive."""
    if read.compression:
        return _SPELLINGS.get(read.compression, read.compression)
    with file.open() as stream:
        head = stream.read(8)
    found = next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), "")
    if found == "zip" and (read.format == "excel" or _is_workbook(file)):
        return ""
    return found


def open_plain(file: SourceFile, compression: str) -> BinaryIO:
    """Open a file with its compression taken off.

    Raises:
        DataError: when the compression is unknown, or an archive holds several files.
    """
    if not compression:
        return file.open()
    if compression not in _OPENERS:
        raise DataError(
            f"{file.label}: read.compression = {compression!r} is unknown",
            hint=f"choose from: {', '.join(_OPENERS)}",
        )
    stream = file.open()
    try:
        return _Unpacked(_OPENERS[compression](stream, file.label), stream)
    except BaseException:
        stream.close()
        raise


class _Unpacked(io.BufferedReader):
    """What a compressed file holds; closing it closes the file too."""

    def __init__(self, unpacked: io.RawIOBase, stream: BinaryIO) -> None:
        super().__init__(unpacked)
        self._stream = stream

    def close(self) -> None:
        """Close both."""
        super().close()
        self._stream.close()


def find_format(file: SourceFile, head: bytes, read: ReadSpec) -> tuple[Format, str]:
    """Return what a file holds, and a note where that is not what its name says.

    Args:
        file: the file.
        head: its first bytes, with compression taken off.
        read: what the spec states.

    Raises:
        DataError: when it holds no table that can be read.
    """
    if read.format == "sql":
        raise DataError(
            f'{file.label}: format = "sql" needs a database\'s address as source',
            hint='such as source = "sqlite:///data.db"',
        )
    if read.format:
        return read.format, ""
    named = _format_by_name(file.name)
    found = _format_by_content(file, head) or named or "csv"
    if named and named != found:
        return found, f"{file.name} is read as {found}: that is what it holds, whatever its name"
    return found, ""


def _format_by_name(name: str) -> Format | None:
    for ending in _COMPRESSION_ENDINGS:
        name = name.removesuffix(ending)
    dot = name.rfind(".")
    if dot < 0:
        return None
    return _ENDINGS.get(name[dot:])


def _format_by_content(file: SourceFile, head: bytes) -> Format | None:
    """Return the format that the first bytes prove; CSV has no mark of its own."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"FEA1")):
        return "feather"
    if head.startswith(b"PK\x03\x04"):
        return "excel"
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise DataError(f"{file.label}: not a table but {what}", hint=hint)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<table")):
        raise DataError(
            f"{file.label}: not a table but a page (HTML or XML)",
            hint="was a login or an error page saved? download the file itself",
        )
    if text.startswith((b"@relation", b"%!")):
        raise DataError(f"{file.label}: not a table but ARFF or PostScript", hint="save it as CSV")
    if text.startswith((b'{"', b"{ ", b"[{", b"{\n", b"[\n", b"[ ")):
        return "jsonlines"
    return None


def _is_workbook(file: SourceFile) -> bool:
    with file.open() as stream, zipfile.ZipFile(stream) as archive:
        return any(name.startswith("xl/") for name in archive.namelist())


def _open_member(stream: BinaryIO, label: str) -> io.RawIOBase:
    archive = zipfile.ZipFile(stream)
    members = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not info.filename.startswith(("__MACOSX/", "."))
    ]
    if len(members) != 1:
        raise DataError(
            f"{label}: an archive of {len(members)} files: {', '.join(members[:5])}",
            hint="unpack it, and name the file that holds the table",
        )
    return cast("io.RawIOBase", archive.open(members[0]))


def _open_zstd(stream: BinaryIO, _label: str) -> io.RawIOBase:
    return cast("io.RawIOBase", pa.CompressedInputStream(stream, "zstd"))


def _open_xz(stream: BinaryIO, _label: str) -> io.RawIOBase:
    return cast("io.RawIOBase", lzma.open(stream))


def _open_bz2(stream: BinaryIO, _label: str) -> io.RawIOBase:
    return cast("io.RawIOBase", bz2.open(stream))


def _open_gzip(stream: BinaryIO, _label: str) -> io.RawIOBase:
    return cast("io.RawIOBase", gzip.open(stream))


_OPENERS: dict[str, Callable[[BinaryIO, str], io.RawIOBase]] = {
    "gzip": _open_gzip,
    "bz2": _open_bz2,
    "xz": _open_xz,
    "zstd": _open_zstd,
    "zip": _open_member,
}
