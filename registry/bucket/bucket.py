"""Objects below a URL such as `s3://bucket/folder`, read and written by obstore.

Everything that must not be overwritten is created (`If-None-Match: *`), and everything that changes
is replaced over the version that was read (`If-Match`, or a generation on Google Cloud Storage).
Lists are only used where a stale one does no harm. Credentials, region and endpoint come from the
environment, under the names that the object store's own tools use.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PreconditionError,
)
from obstore.store import ObjectStore, from_url

from registry.errors import StoreError

TIMEOUT = timedelta(seconds=10)  # for a connection, and between two reads
PATIENCE = timedelta(seconds=20)  # for one call with all its repetitions
REPETITIONS = 4
Version = dict[str, str]  # what identifies an object's contents: an ETag, a generation


class Taken(Exception):
    """The object exists already."""


class Unchanged(Exception):
    """The object is the version still that the caller knows."""


class Overtaken(Exception):
    """The object is not the version any more that was read."""


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's contents, and the version that they are."""

    data: bytes
    version: Version


class Bucket:
    """The objects below a URL.

    Args:
        url: `s3://bucket/folder`, `gs://bucket/folder` or another that obstore knows.

    Raises:
        StoreError: when the URL names no object store, or its settings are wrong.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        with _as_store_errors(self.url):
            self._objects: ObjectStore = from_url(
                self.url,
                client_options={"timeout": TIMEOUT, "connect_timeout": TIMEOUT, "allow_http": True},
                retry_config={"max_retries": REPETITIONS, "retry_timeout": PATIENCE},
            )

    def read(self, name: str, *, limit: int, than: Version | None = None) -> Blob | None:
        """Return an object; None where there is none.

        Args:
            name: below the URL.
            limit: bytes; a larger object is refused before it is read.
            than: a version that the caller knows; only another one is read.

        Raises:
            Unchanged: when it is the known version still.
            StoreError: when the object is too large, or the object store does not answer.
        """
        options = {"if_none_match": than["e_tag"]} if than else None
        with self._call(name):
            try:
                found = obstore.get(self._objects, name, options=options)  # type: ignore[arg-type] # a name for types alone
            except FileNotFoundError:
                return None
            except NotModifiedError as error:
                raise Unchanged(name) from error
            size = found.meta["size"]
            if size > limit:
                raise StoreError(f"{self.url}/{name}: {size} bytes, at most {limit} are expected")
            data = bytes(found.bytes())
            if len(data) != size:
                raise StoreError(f"{self.url}/{name}: {len(data)} of {size} bytes have arrived")
            marks = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
            return Blob(data, {key: mark for key, mark in marks.items() if mark})

    def create(self, name: str, data: bytes) -> None:
        """Write a new object.

        Raises:
            Taken: when there is one already, perhaps by this very call, repeated after a time-out.
            StoreError: when the object store does not answer, or refuses.
        """
        with self._call(name):
            try:
                obstore.put(self._objects, name, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as error:
                raise Taken(name) from error

    def replace(self, name: str, data: bytes, over: Version) -> None:
        """Write an object over the version that was read.

        Raises:
            Overtaken: when it is another version now.
            StoreError: when the object store does not answer, or refuses.
        """
        with self._call(name):
            try:
                # A version has the keys of obstore's `UpdateVersion`.
                obstore.put(self._objects, name, data, mode=over, use_multipart=False)  # type: ignore[arg-type] # a name for types alone
            except (PreconditionError, FileNotFoundError) as error:
                raise Overtaken(name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write an object, whatever was there; raises StoreError."""
        with self._call(name):
            obstore.put(self._objects, name, data, use_multipart=False)

    def delete(self, name: str) -> None:
        """Delete an object if there is one; raises StoreError."""
        with self._call(name):
            try:
                obstore.delete(self._objects, name)
            except FileNotFoundError:
                return

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, sorted; the list may be a moment old."""
        with self._call(folder):
            pages = obstore.list(self._objects, prefix=folder)
            return sorted(str(found["path"]).rpartition("/")[2] for page in pages for found in page)

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        with _as_store_errors(f"{self.url}/{name}"):
            yield


@contextmanager
def _as_store_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise StoreError(
            f"{where}: {reason}",
            hint="check the object store's address and credentials, then try again; nothing that "
            "was complete is lost",
        ) from error
