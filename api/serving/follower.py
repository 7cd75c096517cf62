"""Follow the pointer: load the new model beside the old one, verify it, then swap.

A polled `stat` works on every volume, network ones included, where notifications do not. A package that does not
verify is refused loudly and the old model goes on; it is tried again, for the volume may only have been slow. A pointer
that was removed from its folder takes the model out; a folder that is not there is a volume that went away.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path

from api.serving.served import Served, Slot
from api.serving.shadow import Shadowing
from registry.errors import PackageError, RegistryError, StoreError
from registry.package import ModelPackage
from registry.store import ModelStore

logger = logging.getLogger("tunegate.api")
INTERVAL = 0.1  # seconds between two looks at the pointer
RETRY = 2.0  # seconds before a refused pointer is tried again
Seen = tuple[int, int, int] | None


class Watch:
    """A file that names a package; `load` is called when it has changed, and again `RETRY` after it was refused."""

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
        self._seen: Seen = None
        self._retry_at = math.inf

    def look(self) -> None:
        """Look once."""
        seen = _stat(self.path)
        if seen == self._seen and self.clock() < self._retry_at:
            return
        self._seen = seen
        self._retry_at = math.inf
        try:
            self.load()
        except RegistryError as error:
            self._refused(str(error))
        except Exception as error:  # the thread must outlive whatever a package can provoke
            logger.exception("loading failed")
            self._refused(f"{type(error).__name__}: {error}")

    def _refused(self, reason: str) -> None:
        self.refuse(reason)
        self._retry_at = self.clock() + RETRY


class Follower:
    """Keeps a slot in step with a model's pointer, in a thread of its own.

    Args:
        store: where packages and the pointer are.
        model: whose pointer to follow.
        slot: what to keep in step.
        shadowing: what to keep in step with the model's candidate in shadow mode, after the slot.
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
        self._pointer = Watch(store.pointer_path(model), self._load, self._refuse, clock)
        self._shadow = Watch(
            store.shadow_path(model), self._load_shadow, self._refuse_shadow, clock
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Load what the pointer names, then go on following it in the background."""
        self.look()
        if not (self.slot.served or self.slot.refused):
            logger.info("nothing of %s is in production yet: waiting", self.model)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is served stays."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.shadowing:
            self.shadowing.end()

    def look(self) -> None:
        """Look once at the pointer, and load what it names when it has changed."""
        self._pointer.look()

    def _load(self) -> None:
        pointer = self.store.pointer(self.model)
        if pointer is None:
            self._missing()
            return
        if self.slot.served and self.slot.served.pointer == pointer:
            self.slot.refused = ""
            return
        package = self._open(pointer.sha256)
        self.slot.swap(Served.make(package, pointer, self.slot.listeners))
        logger.info(
            "serving promotion %d of %s, package %s",
            pointer.number,
            self.model,
            pointer.sha256[:12],
        )

    def _missing(self) -> None:
        folder = self.store.pointer_path(self.model).parent
        if self.slot.served:
            if not folder.is_dir():  # nobody took this model out: the volume went away
                raise StoreError(f"{folder}: the store's folder of pointers is not there")
            self.slot.swap(None)
            self.slot.removed = f"the pointer of {self.model} is gone"
            logger.warning("%s: nothing is served", self.slot.removed)
        self.slot.refused = ""

    def _refuse(self, reason: str) -> None:
        if reason != self.slot.refused:
            if self.slot.served:
                what = "the old model goes on"
            else:
                what = "nothing is served"
            logger.error("refused, %s: %s", what, reason)
        self.slot.refuse(reason)

    def _load_shadow(self) -> None:
        if not self.shadowing:
            return
        shadow = self.store.shadow(self.model)
        now = self.shadowing.candidate
        if shadow is None:
            self.shadowing.end()
            return
        same = now is not None and now.package.digest == shadow.sha256
        self.shadowing.run(now.package if now and same else self._open(shadow.sha256), shadow.share)
        logger.info(
            "package %s answers %g of %s's requests silently",
            shadow.sha256[:12],
            shadow.share,
            self.model,
        )

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

    def _run(self) -> None:
        while not self._stop.wait(self.interval):
            self.look()
            self._shadow.look()


def _stat(path: Path) -> Seen:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
