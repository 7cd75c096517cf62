"""Any place that fsspec knows: `sftp://`, `https://`, `hdfs://`, `file://` and others.

fsspec has no conditional write. Packages are safe all the same, since each has its digest, and so
is the pointer where one promoter at a time writes; a ledger is not kept there.
"""

import hashlib

import fsspec

from registry.bucket.bucket import (
    Blob,
    Bucket,
    Overtaken,
    Taken,
    Unchanged,
    Version,
)
from registry.errors import StoreError

WHOLE = -1  # bytes to read, as files mean it


class FsspecBucket(Bucket):
    """The files below a URL of a protocol of fsspec's.

    Raises:
        StoreError: when fsspec does not know the protocol, lacks its package, or is refused.
    """

    errors = (Exception,)  # each library has its own
    conditional = False

    def __init__(self, url: str) -> None:
        super().__init__(url)
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except Exception as error:  # of the protocol's library, which may be any
            raise StoreError(
                f"{self.url}: {error}",
                hint="docs/object-stores.md says which addresses there are, and what each needs",
            ) from error

    def read(self, name: str, *, limit: int, than: Version | None = None) -> Blob | None:
        """Return an object; see the port's contract. It is read even when it is unchanged."""
        data = self._contents(name, limit + 1)
        if data is None:
            return None
        self.check_size(name, len(data), limit)
        version = _version(data)
        if version == than:
            raise Unchanged(name)
        return Blob(data, version)

    def create(self, name: str, data: bytes) -> None:
        """Write a new object; see the port's contract."""
        with self.named_call(name):
            there = self._files.exists(self._path(name))
        if there:
            raise Taken(name)
        self.write(name, data)

    def replace(self, name: str, data: bytes, over: Version) -> None:
        """Write an object over the version that was read; see the port's contract."""
        there = self._contents(name, WHOLE)
        if there is None or _version(there) != over:
            raise Overtaken(name)
        self.write(name, data)

    def write(self, name: str, data: bytes) -> None:
        """Write an object, whatever was there; raises StoreError."""
        path = self._path(name)
        with self.named_call(name):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, data)

    def delete(self, name: str) -> None:
        """Delete an object if there is one; raises StoreError."""
        with self.named_call(name):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, sorted; the list may be a moment old."""
        with self.named_call(folder):
            try:
                found = self._files.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def _contents(self, name: str, most: int) -> bytes | None:
        """Return the first bytes of an object; None where there is none."""
        with self.named_call(name):
            try:
                with self._files.open(self._path(name), "rb") as file:
                    return bytes(file.read(most))
            except FileNotFoundError:
                return None

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


def _version(data: bytes) -> Version:
    return {"sha256": hashlib.sha256(data).hexdigest()}
