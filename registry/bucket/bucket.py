"""Objects below a URL such as `s3://bucket/folder`: what the store and the ledger need of them.

Everything that must not be overwritten is created, and everything that changes is replaced over the
version that was read. Lists are only used where a stale one does no harm. Each object store has a
module of its own; `addresses` chooses.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from registry.errors import StoreError

TIMEOUT = 10.0  # seconds for a connection, and between two reads
PATIENCE = 20.0  # seconds for one call with all its repetitions
REPETITIONS = 4
Version = dict[str, str]  # what identifies an object's contents: an ETag, a generation, a digest


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


class Bucket(ABC):
    """The objects below a URL.

    Args:
        url: of an object store, with the folder in it.

    Attributes:
        errors: what the client's library raises.
        conditional: whether of two writers at the same time only one can create or replace an
            object. Where it is not, the two look first and then write.
    """

    errors: tuple[type[Exception], ...] = ()
    conditional = True

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @abstractmethod
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

    @abstractmethod
    def create(self, name: str, data: bytes) -> None:
        """Write a new object.

        Raises:
            Taken: when there is one already, perhaps by this very call, repeated after a time-out.
            StoreError: when the object store does not answer, or refuses.
        """

    @abstractmethod
    def replace(self, name: str, data: bytes, over: Version) -> None:
        """Write an object over the version that was read.

        Raises:
            Overtaken: when it is another version now.
            StoreError: when the object store does not answer, or refuses.
        """

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Write an object, whatever was there; raises StoreError."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an object if there is one; raises StoreError."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder, sorted; the list may be a moment old."""

    def named_call(self, name: str) -> AbstractContextManager[None]:
        """Make errors of a call for an object into StoreErrors that name it."""
        return named_store_errors(f"{self.url}/{name}", *self.errors)

    def check_size(self, name: str, size: int, limit: int) -> None:
        """Refuse an object that is larger than expected; raises StoreError."""
        if size > limit:
            raise StoreError(f"{self.url}/{name}: {size} bytes, at most {limit} are expected")


@contextmanager
def named_store_errors(where: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn the errors of a client's library into a StoreError that names the object."""
    try:
        yield
    except errors as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StoreError(
            f"{where}: {reason}",
            hint="check the object store's address and credentials, then try again; nothing that "
            "was complete is lost",
        ) from error
