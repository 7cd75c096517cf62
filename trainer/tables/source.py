"""Finds the files that a spec's `source` names: a path, a folder, a pattern or a URL."""

import io
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

import fsspec

from trainer.errors import DataError
from trainer.tables.packages import PROTOCOL_PACKAGES, missing_package

NOT_FOUND = 404
RELATIVE_HINT = "`source` is relative to the TOML file"
_URL = re.compile(r"[a-z][a-z0-9+.-]*:(//|:)")
_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class LocalFile:
    """A file on this machine."""

    path: Path

    @property
    def label(self) -> str:
        """How messages name it."""
        return str(self.path)

    @property
    def name(self) -> str:
        """Its name in lower case, whose endings say what it holds."""
        return self.path.name.lower()

    def open(self) -> BinaryIO:
        """Open it for reading; each call begins at its start.

        Raises:
            DataError: when it cannot be read.
        """
        try:
            return self.path.open("rb")
        except OSError as error:
            raise DataError(
                f"{self.path}: {error.strerror or error}", hint=RELATIVE_HINT
            ) from error


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere, fetched once by fsspec."""

    url: str
    credentials_hint: str = field(default="check the address, and that this machine may read it")

    @property
    def label(self) -> str:
        """The address without a query, which may hold a signature."""
        return self.url.partition("?")[0]

    @property
    def name(self) -> str:
        """Its name in lower case, whose endings say what it holds."""
        return PurePosixPath(urlsplit(self.url).path or self.url).name.lower()

    def open(self) -> BinaryIO:
        """Open what was fetched; each call begins at its start.

        Raises:
            DataError: when it cannot be fetched.
        """
        return io.BytesIO(self._content)

    @cached_property
    def _content(self) -> bytes:
        try:
            # Not `fsspec.open`, which takes the `?` of a query for a pattern.
            files, path = fsspec.core.url_to_fs(self.url)
            with files.open(path, "rb") as stream:
                content: bytes = stream.read()
        except FileNotFoundError as error:
            reason = self._why_not_found(error)
            raise DataError(f"{self.label}: {reason}", hint=self.credentials_hint) from error
        except ImportError as error:
            raise missing_package(_package_of(self.url), self.label) from error
        except Exception as error:  # each store's client has a tree of errors of its own
            reason = str(error) or type(error).__name__
            raise DataError(f"{self.label}: {reason}", hint=self.credentials_hint) from error
        return content

    def _why_not_found(self, error: FileNotFoundError) -> str:
        """Return the reason: fsspec says "not found" of a host that does not answer, too."""
        cause = error.__cause__
        status = getattr(cause, "status", 0)
        if cause is None or isinstance(cause, FileNotFoundError) or status == NOT_FOUND:
            return "not found"
        if status:
            return f"the server answers {status} {getattr(cause, 'message', '')}".strip()
        return (str(cause) or type(cause).__name__).replace(self.url, self.label)


SourceFile = LocalFile | RemoteFile


def is_url(source: str) -> bool:
    """Tell whether a source is an address for fsspec: `https://...`, `s3://...`."""
    return bool(_URL.match(source))


def find_files(source: str, folder: Path) -> tuple[SourceFile, ...]:
    """Return the files that a source names, sorted by name; at least one.

    Args:
        source: a path or pattern relative to `folder`, or a URL.
        folder: where the spec is.

    Raises:
        DataError: when there is none, or a folder holds files of several kinds.
    """
    if is_url(source):
        return _find_remote(source)
    if _PATTERN.search(source) and not (folder / source).exists():
        paths = sorted(path for path in folder.glob(source) if path.is_file())
        if not paths:
            raise DataError(f"{folder / source}: no file matches", hint=RELATIVE_HINT)
        return tuple(map(LocalFile, paths))
    path = folder / source
    if path.is_dir():
        return _folder_files(path)
    return (LocalFile(path),)


def _folder_files(folder: Path) -> tuple[SourceFile, ...]:
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "_"))
    )
    endings = {path.suffix for path in paths}
    if len(endings) != 1:
        found = ", ".join(sorted(endings)) or "none"
        raise DataError(
            f"{folder}: Is a directory, and its files are not of one kind: {found}",
            hint=f"name the files by a pattern, such as {folder.name or 'data'}/*.csv; "
            + RELATIVE_HINT,
        )
    return tuple(map(LocalFile, paths))


def _find_remote(source: str) -> tuple[SourceFile, ...]:
    if not _PATTERN.search(source.partition("?")[0]) or source.startswith("http"):
        return (RemoteFile(source),)
    try:
        files = fsspec.open_files(source, "rb")
    except ImportError as error:
        raise missing_package(_package_of(source), source) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{source}: {error}", hint="check the address") from error
    if not files:
        raise DataError(f"{source}: no file matches", hint="check the address")
    protocol = source.partition("://")[0]
    return tuple(RemoteFile(f"{protocol}://{file.path.lstrip('/')}") for file in files)


def _package_of(url: str) -> str:
    protocol = url.partition(":")[0]
    return PROTOCOL_PACKAGES.get(protocol, protocol)
