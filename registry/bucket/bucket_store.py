"""The model store in a bucket, with a folder on this machine that holds what was read from it.

models/<sha256>/<file>          a package; its manifest is written last, so it is whole or not there
pointers/<model>.json           as in the folder; moves by a conditional write
pointers/<model>.shadow.json    the same
pointers/<model>.history.json   the same

Trials write to the folder. `BucketStore` is for those who promote. Servers use `BucketReplica`:
they read the folder, and `refresh` brings it up to date. A bucket that does not answer therefore
stops no server that has a model.
"""

import hashlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from registry.atomic_files import publish_folder, write_atomic
from registry.bucket.bucket import Bucket, Overtaken, Taken, Unchanged, Version
from registry.errors import PackageError, StoreError
from registry.history import History
from registry.package import ModelPackage, load_package
from registry.package.manifest import Manifest
from registry.package.model_package import file_names
from registry.package.package_files import MANIFEST, MAX_BYTES, SIGNATURE, read_package_file
from registry.package.signing import Signing
from registry.record import InvalidRecord, Record
from registry.shadow import Shadow
from registry.store import ModelStore, Pointer

INTERVAL = 2.0  # seconds between two looks at the bucket
RECORD_LIMIT = 1 << 24  # bytes of a pointer, a shadow or a history
REMOVED = b"null"  # what a pointer holds when nothing is in production any more
R = TypeVar("R", bound=Record)


class BucketStore(ModelStore):
    """Packages and pointers in a bucket.

    Args:
        bucket: where they are.
        root: a folder of this machine: for trials, and for packages that were read.
        signing: who signs, and whose signatures are accepted.
    """

    def __init__(self, bucket: Bucket, root: Path, signing: Signing | None = None) -> None:
        super().__init__(root, signing)
        self.bucket = bucket
        self._read: dict[str, Version] = {}  # of the pointers, as they were read last

    def add(self, package: ModelPackage) -> Path:
        """Copy a verified package under its digest, here and in the bucket; idempotent.

        Raises:
            StoreError: when the folder or the bucket cannot be written.
            PackageError: when the copy does not verify.
        """
        path = super().add(package)
        others = [name for name in package.files if name != MANIFEST]
        for name in (*others, MANIFEST):
            self._upload(f"models/{package.digest}", name, read_package_file(path / name))
        if os.path.lexists(path / SIGNATURE):
            self._upload(f"models/{package.digest}", SIGNATURE, read_package_file(path / SIGNATURE))
        return path

    def _write_signature(self, sha256: str, signature: bytes) -> None:
        super()._write_signature(sha256, signature)
        self.bucket.write(f"models/{sha256}/{SIGNATURE}", signature)

    def open(self, sha256: str) -> ModelPackage:
        """Load a promoted package by its digest, from the bucket if the folder has no good copy.

        Raises:
            PackageError: when it is missing or does not verify.
            StoreError: when the bucket does not answer.
        """
        try:
            return super().open(sha256)
        except PackageError:
            publish_folder(self.model(sha256), lambda folder: self._download(sha256, folder))
            return super().open(sha256)

    def pointer(self, model: str) -> Pointer | None:
        """Read the pointer; None when nothing is in production. Raises StoreError."""
        name = f"pointers/{model}.json"
        blob = self.bucket.read(name, limit=RECORD_LIMIT)
        if blob is None:
            self._read.pop(model, None)
            return None
        self._read[model] = blob.version
        return _parse(Pointer, blob.data, f"{self.bucket.url}/{name}")

    def models(self) -> list[str]:
        """Return the names of the models that have a pointer, sorted. Raises StoreError."""
        names = [name.removesuffix(".json") for name in self.bucket.names("pointers")]
        return [name for name in names if "." not in name and self.pointer(name)]

    def point(self, pointer: Pointer) -> None:
        """Let servers follow this promotion, if the pointer is the one that was read last.

        Raises:
            StoreError: when another writer was faster, or the bucket cannot be written.
        """
        self.run_check()
        self._swap(pointer.model, pointer.to_json())
        ModelStore(self.root).point(pointer)

    def unpoint(self, model: str) -> None:
        """Say that nothing is in production; raises as `point` does."""
        self.run_check()
        self._swap(model, REMOVED)
        ModelStore(self.root).unpoint(model)

    def shadow(self, model: str) -> Shadow | None:
        """Read the shadow mode's configuration; None if it is off. Raises StoreError."""
        return self._record(Shadow, f"pointers/{model}.shadow.json")

    def set_shadow(self, shadow: Shadow) -> None:
        """Start shadow mode with a package that is in the store already. Raises StoreError."""
        self.bucket.write(f"pointers/{shadow.model}.shadow.json", shadow.to_json())
        super().set_shadow(shadow)

    def clear_shadow(self, model: str) -> None:
        """End shadow mode. Raises StoreError."""
        self.bucket.delete(f"pointers/{model}.shadow.json")
        super().clear_shadow(model)

    def history(self, model: str) -> History | None:
        """Read the copy of the ledger's history; None when there is none. Raises StoreError."""
        return self._record(History, f"pointers/{model}.history.json")

    def write_history(self, history: History) -> None:
        """Replace the copy of the ledger's history. Raises StoreError."""
        self.bucket.write(f"pointers/{history.model}.history.json", history.to_json(indent=1))
        super().write_history(history)

    def _record(self, kind: type[R], name: str) -> R | None:
        blob = self.bucket.read(name, limit=RECORD_LIMIT)
        return _parse(kind, blob.data, f"{self.bucket.url}/{name}") if blob else None

    def _swap(self, model: str, data: bytes) -> None:
        name = f"pointers/{model}.json"
        try:
            if model in self._read:
                self.bucket.replace(name, data, self._read[model])
            else:
                self.bucket.create(name, data)
        except (Taken, Overtaken) as error:
            there = self.bucket.read(name, limit=RECORD_LIMIT)
            if there is None or there.data != data:  # otherwise a repeated request came first
                raise StoreError(
                    f"{self.bucket.url}/{name}: another writer has moved it",
                    hint="run `tunegate repair`, then the same command again",
                ) from error
        self.pointer(model)  # the next swap is over this version

    def _upload(self, folder: str, name: str, data: bytes) -> None:
        try:
            self.bucket.create(f"{folder}/{name}", data)
        except Taken:
            there = self.bucket.read(f"{folder}/{name}", limit=MAX_BYTES[name])
            if there is None or there.data != data:  # damaged, or half an upload of a crash
                self.bucket.write(f"{folder}/{name}", data)

    def _download(self, sha256: str, folder: Path) -> None:
        """Read a package's files into a new folder, and verify them there."""
        where = f"models/{sha256}"
        text = self._package_file(where, MANIFEST)
        if hashlib.sha256(text).hexdigest() != sha256:
            raise PackageError(f"{self.bucket.url}/{where}: the manifest has another digest")
        try:
            names = file_names(Manifest.parse(text))
        except InvalidRecord as error:
            raise PackageError(f"{self.bucket.url}/{where}/{MANIFEST}: {error}") from error
        (folder / MANIFEST).write_bytes(text)
        for name in names:
            if name != MANIFEST:
                (folder / name).write_bytes(self._package_file(where, name))
        signature = self.bucket.read(f"{where}/{SIGNATURE}", limit=MAX_BYTES[SIGNATURE])
        if signature:
            (folder / SIGNATURE).write_bytes(signature.data)
        load_package(folder, digest=sha256)

    def _package_file(self, folder: str, name: str) -> bytes:
        blob = self.bucket.read(f"{folder}/{name}", limit=MAX_BYTES[name])
        if blob is None:
            raise PackageError(
                f"{self.bucket.url}/{folder}/{name}: not in the bucket",
                hint="promote it again from where it was trained",
            )
        return blob.data


class BucketReplica(ModelStore):
    """A folder that `refresh` keeps in step with a bucket; everything else reads the folder.

    Args:
        store: the bucket's store; its root is the folder.
        interval: seconds; a model that was refreshed less long ago is not refreshed again.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: BucketStore,
        *,
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store.root, store.signing)
        self.store = store
        self.interval = interval
        self.clock = clock
        self._next: dict[str, float] = {}  # by model, when the bucket is looked at again
        self._versions: dict[str, Version] = {}  # of the objects that the folder has

    def refresh(self, model: str) -> None:
        """Bring what others wrote into the folder; a package is there before its pointer.

        Raises:
            StoreError: when the bucket does not answer; the folder stays as it was.
            PackageError: when a package does not verify; so does its pointer.
        """
        if self.clock() < self._next.get(model, -math.inf):
            return
        self._next[model] = self.clock() + self.interval
        self._copy(self.pointer_path(model), lambda data: self._prepare(model, data))
        self._copy(self.shadow_path(model), lambda data: self._fetch(Shadow, data))
        self._copy(self.history_path(model), lambda _: None)

    def _prepare(self, model: str, pointer: bytes) -> None:
        """Bring history and package of a new pointer, before a server sees it in the folder.

        Promotion writes the history first, so one that is read after the pointer knows it.
        """
        self._copy(self.history_path(model), lambda _: None)
        self._fetch(Pointer, pointer)

    def _copy(self, target: Path, prepare: Callable[[bytes], None]) -> None:
        name = f"pointers/{target.name}"
        known = self._versions.get(name)
        try:
            blob = self.store.bucket.read(name, limit=RECORD_LIMIT, than=known)
        except Unchanged:
            return
        if blob is None or blob.data == REMOVED:
            target.unlink(missing_ok=True)
            return
        prepare(blob.data)
        if not target.exists() or target.read_bytes() != blob.data:
            write_atomic(target, blob.data)
        self._versions[name] = blob.version

    def _fetch(self, kind: type[Pointer] | type[Shadow], data: bytes) -> None:
        record = _parse(kind, data, f"{self.store.bucket.url}/pointers")
        if record:
            self.store.open(record.sha256)


def _parse(kind: type[R], data: bytes, where: str) -> R | None:
    if data == REMOVED:
        return None
    try:
        return kind.parse(data)
    except InvalidRecord as error:
        raise StoreError(
            f"{where}: not a readable {kind.__name__.lower()}", hint="run `tunegate repair`"
        ) from error
