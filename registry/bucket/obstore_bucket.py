"""Buckets of S3 and of Azure, by obstore.

Objects are created with `If-None-Match: *` and replaced with `If-Match`. Credentials, region and
endpoint come from the environment, under the names that the object store's own tools use.
"""

from datetime import timedelta

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PreconditionError,
)
from obstore.store import ObjectStore, from_url

from registry.bucket.bucket import (
    PATIENCE,
    REPETITIONS,
    TIMEOUT,
    Blob,
    Bucket,
    Overtaken,
    Taken,
    Unchanged,
    Version,
    named_store_errors,
)
from registry.errors import StoreError


class ObstoreBucket(Bucket):
    """The objects below a URL that obstore knows.

    Raises:
        StoreError: when the URL names no object store, or its settings are wrong.
    """

    errors = (BaseError, OSError, ValueError)

    def __init__(self, url: str) -> None:
        super().__init__(url)
        timeout = timedelta(seconds=TIMEOUT)
        patience = timedelta(seconds=PATIENCE)
        with named_store_errors(self.url, *self.errors):
            self._objects: ObjectStore = from_url(
                self.url,
                client_options={"timeout": timeout, "connect_timeout": timeout, "allow_http": True},
                retry_config={"max_retries": REPETITIONS, "retry_timeout": patience},
            )

    def read(self, name: str, *, limit: int, than: Version | None = None) -> Blob | None:
        """Return an object; see the port's contract."""
        options = {"if_none_match": than["e_tag"]} if than else None
        with self.named_call(name):
            try:
                found = obstore.get(self._objects, name, options=options)  # type: ignore[arg-type] # a name for types alone
            except FileNotFoundError:
                return None
            except NotModifiedError as error:
                raise Unchanged(name) from error
            size = found.meta["size"]
            self.check_size(name, size, limit)
            data = bytes(found.bytes())
            if len(data) != size:
                raise StoreError(f"{self.url}/{name}: {len(data)} of {size} bytes have arrived")
            marks = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
            return Blob(data, {key: mark for key, mark in marks.items() if mark})

    def create(self, name: str, data: bytes) -> None:
        """Write a new object; see the port's contract."""
        with self.named_call(name):
            try:
                obstore.put(self._objects, name, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as error:
                raise Taken(name) from error

    def replace(self, name: str, data: bytes, over: Version) -> None:
        """Write an object over the version that was read; see the port's contract."""
        with self.named_call(name):
            try:
                # A version has the keys of obstore's `UpdateVersion`.
                obstore.put(self._objects, name, data, mode=over, use_multipart=False)  # type: ignore[arg-type] # a name for types alone
            except (PreconditionError, FileNotFoundError) as error:
                raise Overtaken(name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write an object, whatever was there; raises StoreError."""
        with self.named_call(name):
            obstore.put(self._objects, name, data, use_multipart=False)

    def delete(self, name: str) -> None:
        """Delete an object if there is one; raises StoreError."""
        with self.named_call(name):
            try:
                obstore.delete(self._objects, name)
            except FileNotFoundError:
                return

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, sorted; the list may be a moment old."""
        with self.named_call(folder):
            pages = obstore.list(self._objects, prefix=folder)
            return sorted(str(found["path"]).rpartition("/")[2] for page in pages for found in page)
