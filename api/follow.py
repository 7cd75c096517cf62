"""Follow the pointer: load the new model beside the old one, verify it, then swap.

A polled `stat` works on every volume, network ones included, where notifications do not. A package that does not
verify is refused loudly and the old model goes on; it is tried again, for the volume may only have been slow.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from api.slot import Served, Slot
from registry.errors import PackageError, RegistryError
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
INTERVAL = 0.1  # seconds between two looks at the pointer
RETRY = 2.0  # seconds before a refused pointer is tried again
Seen = tuple[int, int, int] | None


class Follower:
    """Keeps a slot in step with a model's pointer, in a thread of its own.

    Args:
        store: where packages and the pointer are.
        model: whose pointer to follow.
        slot: what to keep in step.
        interval: seconds between two looks.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: ModelStore,
        model: str,
        slot: Slot,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.model, self.slot = store, model, slot
        self.interval, self.clock = interval, clock
        self._seen: Seen = None
        self._retry_at = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Load what the pointer names, then go on following it in the background."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is served stays."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once at the pointer, and load what it names when it has changed."""
        seen = _stat(self.store.pointer_path(self.model))
        due = self.slot.refused and self.clock() >= self._retry_at
        if seen == self._seen and not due:
            return
        self._seen = seen
        try:
            self._load()
        except RegistryError as error:
            self._refuse(str(error))
        except Exception as error:  # the thread must outlive whatever a package can provoke
            logger.exception("loading failed")
            self._refuse(f"{type(error).__name__}: {error}")

    def _load(self) -> None:
        pointer = self.store.pointer(self.model)
        if pointer is None:
            if self.slot.served:
                logger.warning("the pointer of %s is gone: nothing is served", self.model)
                self.slot.swap(None)
            self.slot.refused = ""
            return
        if self.slot.served and self.slot.served.pointer == pointer:
            self.slot.refused = ""
            return
        package = self.store.open(pointer.sha256)
        if package.manifest.name != self.model:
            raise PackageError(f"{package.path}: a package of {package.manifest.name}, not of {self.model}")
        self.slot.swap(Served.make(package, pointer))
        logger.info("serving promotion %d of %s, package %s", pointer.number, self.model, pointer.sha256[:12])

    def _refuse(self, reason: str) -> None:
        if reason != self.slot.refused:
            logger.error("refused, the old model goes on: %s", reason)
        self.slot.refuse(reason)
        self._retry_at = self.clock() + RETRY

    def _run(self) -> None:
        while not self._stop.wait(self.interval):
            self.look()


def _stat(path: Path) -> Seen:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
