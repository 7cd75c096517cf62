"""Buckets of Google Cloud Storage, by Google's own client.

Objects are created with `ifGenerationMatch=0` and replaced with the generation that was read.
Credentials are the application's default ones; STORAGE_EMULATOR_HOST names another server.
"""

import warnings
from urllib.parse import urlsplit

import requests

with warnings.catch_warnings():  # about the Python versions that it will drop in years
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from google.cloud.storage.exceptions import DataCorruption
    from google.cloud.storage.retry import DEFAULT_RETRY

from registry.bucket.bucket import (
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

FIRST_PAUSE = 0.2  # seconds before a call is repeated, then twice as many
PATIENCE = 5.0  # seconds after which no call is repeated any more
NOTHING = 0  # the generation of an object that does not exist
ERRORS = (
    DataCorruption,
    GoogleAPIError,
    GoogleAuthError,
    OSError,
    ValueError,
    requests.RequestException,
)


class GoogleBucket(Bucket):
    """The objects below `gs://bucket/folder`.

    Raises:
        StoreError: when there are no credentials.
    """

    errors = ERRORS

    def __init__(self, url: str) -> None:
        super().__init__(url)
        address = urlsplit(self.url)
        self._folder = f"{address.path.strip('/')}/".lstrip("/")
        # Each write names what it is written over, or may be repeated without harm.
        retry = DEFAULT_RETRY.with_delay(initial=FIRST_PAUSE).with_timeout(PATIENCE)
        self._patience = {"timeout": TIMEOUT, "retry": retry}
        with named_store_errors(self.url, *self.errors):
            # No project: it is only asked for where buckets are made.
            self._bucket = storage.Client(project="none").bucket(address.netloc)

    def read(self, name: str, *, limit: int, than: Version | None = None) -> Blob | None:
        """Return an object; see the port's contract."""
        with self.named_call(name):
            for _ in range(REPETITIONS):
                about = self._bucket.get_blob(self._folder + name, **self._patience)
                if about is None:
                    return None
                version = {"generation": str(about.generation)}
                if version == than:
                    raise Unchanged(name)
                self.check_size(name, about.size, limit)
                this = self._bucket.blob(about.name, generation=about.generation)
                try:
                    return Blob(this.download_as_bytes(**self._patience), version)
                except NotFound:  # replaced since
                    continue
        raise StoreError(f"{self.url}/{name}: others write it all the time")

    def create(self, name: str, data: bytes) -> None:
        """Write a new object; see the port's contract."""
        with self.named_call(name):
            try:
                self._put(name, data, over=NOTHING)
            except PreconditionFailed as error:
                raise Taken(name) from error

    def replace(self, name: str, data: bytes, over: Version) -> None:
        """Write an object over the version that was read; see the port's contract."""
        with self.named_call(name):
            try:
                self._put(name, data, over=int(over["generation"]))
            except (PreconditionFailed, NotFound) as error:
                raise Overtaken(name) from error

    def write(self, name: str, data: bytes) -> None:
        """Write an object, whatever was there; raises StoreError."""
        with self.named_call(name):
            self._put(name, data)

    def delete(self, name: str) -> None:
        """Delete an object if there is one; raises StoreError."""
        with self.named_call(name):
            try:
                self._bucket.delete_blob(self._folder + name, **self._patience)
            except NotFound:
                return

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, sorted; the list may be a moment old."""
        with self.named_call(folder):
            found = self._bucket.list_blobs(prefix=f"{self._folder}{folder}/", **self._patience)
            return sorted(each.name.rpartition("/")[2] for each in found)

    def _put(self, name: str, data: bytes, over: int | None = None) -> None:
        self._bucket.blob(self._folder + name).upload_from_string(
            data,
            content_type="application/octet-stream",
            if_generation_match=over,
            **self._patience,
        )
