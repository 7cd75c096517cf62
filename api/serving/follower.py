"""Follow the pointer: load the new model next to the old one, verify it, then swap.

The pointer is polled with `stat`, which works on every volume, network volumes included, where
notifications do not. A package that cannot be verified is refused, with an error in the log, and
the old model keeps serving; the package is tried again, because the volume may only have been slow.
A pointer that was removed from its folder takes the model out of service; a missing folder means
that the volume went away, and changes nothing.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from api.serving.pointer_check import check_history
from api.serving.served import Served, Slot
from api.serving.shadow import Shadowing
from registry.errors import PackageError, RegistryError, StoreError
from registry.package import ModelPackage
from registry.store import ModelStore, Pointer

logger = logging.getLogger("tunegate.api")
INTERVAL = 0.1  # seconds between two looks at the pointer
RETRY = 2.0  # seconds before a refused pointer is tried again


class WatchedFile:
    """A file that names a package.

    Args:
        path: the file.
        load: called when the file has changed, and again `RETRY` seconds after it raised.
        refuse: called with the reason when `load` raised.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        load: Callable[[], None],
        refuse: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.path = path
        self.load = load
        self.refuse = refuse
        self.clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._retry_at = math.inf

    def look(self) -> None:
        """Call `load` if it is due."""
        stamp = _file_stamp(self.path)
        if stamp == self._stamp and self.clock() < self._retry_at:
            return
        self._stamp = stamp
        self._retry_at = math.inf
        try:
            self.load()
        except RegistryError as error:
            self._refuse_until_retry(str(error))
        except Exception as error:  # the thread must outlive whatever a package can provoke
            logger.exception("loading failed")
            self._refuse_until_retry(f"{type(error).__name__}: {error}")

    def _refuse_until_retry(self, reason: str) -> None:
        self.refuse(reason)
        self._retry_at = self.clock() + RETRY


class Follower:
    """Keeps a slot in step with a model's pointer, in a thread of its own.

    Args:
        store: where packages and the pointer are.
        model: whose pointer to follow.
        slot: what to keep in step.
        shadowing: the model's shadow mode, which is kept in step after the slot.
        interval: seconds between two looks.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: ModelStore,
        model: str,
        slot: Slot,
        shadowing: Shadowing | None = None,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.model = model
        self.slot = slot
        self.shadowing = shadowing
        self.interval = interval
        self._pointer = WatchedFile(store.pointer_path(model), self._load, self._refuse, clock)
        self._shadow = WatchedFile(
            store.shadow_path(model), self._load_shadow, self._refuse_shadow, clock
        )
        self._refresh_error = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="follower", daemon=True)

    def start(self) -> None:
        """Load what the pointer names, then follow the pointer in the background."""
        self.look()
        if not (self.slot.served or self.slot.refused or self.slot.removed):
            logger.info("nothing of %s is in production yet: waiting", self.model)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the slot keeps what it serves."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.shadowing:
            self.shadowing.end()

    def look(self) -> None:
        """Look once at the pointer, and load what it names if it has changed."""
        self._refresh()
        self._pointer.look()

    def _refresh(self) -> None:
        """Bring the store up to date; where that fails, what is in its folder is served on."""
        reason = ""
        try:
            self.store.refresh(self.model)
        except RegistryError as error:
            reason = str(error)
        if reason and reason != self._refresh_error:
            logger.warning("the store cannot be refreshed, its copy here is served: %s", reason)
        self._refresh_error = reason

    def _load(self) -> None:
        pointer = self.store.pointer(self.model)
        if pointer is None:
            self._take_out()
            return
        if self.slot.served and self.slot.served.pointer == pointer:
            self.slot.refused = ""
            return
        check_history(self.store, pointer)
        package = self._open(pointer.sha256)
        if package.outside:
            self._leave_to_others(package, pointer)
            return
        self.slot.swap(Served.make(package, pointer, self.slot.listeners))
        what = (pointer.number, self.model, pointer.sha256[:12])
        logger.info("serving promotion %d of %s, package %s", *what)

    def _leave_to_others(self, package: ModelPackage, pointer: Pointer) -> None:
        """Answer no more: the model in production is another server's, and an old one is wrong."""
        reason = f"promotion {pointer.number}: {package.elsewhere}"
        if self.slot.removed != reason:
            self.slot.swap(None)
            self.slot.removed = reason
            logger.warning("nothing is served here: %s", reason)

    def _take_out(self) -> None:
        folder = self.store.pointer_path(self.model).parent
        if self.slot.served:
            if not folder.is_dir():  # the model was not taken out: the volume went away
                raise StoreError(f"{folder}: the store's folder of pointers is missing")
            self.slot.swap(None)
            self.slot.removed = f"the pointer of {self.model} is gone"
            logger.warning("%s: nothing is served", self.slot.removed)
        self.slot.refused = ""

    def _refuse(self, reason: str) -> None:
        if reason != self.slot.refused:
            left = "the old model keeps serving" if self.slot.served else "nothing is served"
            logger.error("refused, %s: %s", left, reason)
        self.slot.refuse(reason)

    def _load_shadow(self) -> None:
        if not self.shadowing:
            return
        shadow = self.store.shadow(self.model)
        if shadow is None:
            self.shadowing.end()
            return
        candidate = self.shadowing.candidate
        if candidate and candidate.package.digest == shadow.sha256:
            package = candidate.package
        else:
            package = self._open(shadow.sha256)
        package.require_model()
        self.shadowing.run(package, shadow.share)
        what = (shadow.sha256[:12], shadow.share, self.model)
        logger.info("package %s answers %g of %s's requests silently", *what)

    def _refuse_shadow(self, reason: str) -> None:
        if self.shadowing:
            if reason != self.shadowing.refused:
                logger.error("shadow refused: %s", reason)
            self.shadowing.end(reason)

    def _open(self, sha256: str) -> ModelPackage:
        package = self.store.open(sha256)
        if package.manifest.name != self.model:
            raise PackageError(
                f"{package.path}: a package of {package.manifest.name}, not of {self.model}"
            )
        return package

    def _poll(self) -> None:
        while not self._stop.wait(self.interval):
            self.look()
            self._shadow.look()


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
