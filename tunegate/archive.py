"""What a bundle's archive holds, and reading it without trusting it."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from registry import Entry
from registry.record import Record
from tunegate.errors import UsageError

INDEX = "bundle.json"
LARGEST = 1 << 30  # bytes of one file in a bundle
MAKE = "make one with `tunegate export`"


class Index(Record, frozen=True, kw_only=True):
    """The bundle's own description."""

    format: Literal["tunegate-bundle/1"] = "tunegate-bundle/1"
    model: str
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        """Refuse what a ledger would refuse half way through, or take for another model's."""
        if [entry.promotion.number for entry in self.entries] != list(range(1, len(self.entries) + 1)):
            raise ValueError("its ledger has gaps")
        if any(entry.promotion.model != self.model or entry.outcome is None for entry in self.entries):
            raise ValueError("its ledger has entries of another model, or in flight")


def read_index(archive: zipfile.ZipFile) -> Index:
    """Return the archive's index; raises UsageError where there is no valid one."""
    with sound():
        return Index.parse(read(archive, INDEX))


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of the archive; raises UsageError where it is missing, damaged or too large."""
    with sound():
        if archive.getinfo(name).file_size > LARGEST:
            raise ValueError(f"{name} is larger than {LARGEST} bytes")
        return archive.read(name)


@contextmanager
def sound() -> Iterator[None]:
    """Turn what damaged and forged archives lead to, from zlib to recursion in JSON, into one error."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UsageError(f"not a bundle: {error}", hint=MAKE) from error
