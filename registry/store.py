"""The model store: one volume that trials and promotion write, and servers read.

trials/<trial>/                a trial's package, written by the trial itself
models/<sha256>/               promoted packages and candidates in shadow mode, by digest, immutable
pointers/<model>.json          what servers of <model> follow: {"model", "number", "sha256"}
pointers/<model>.shadow.json   the candidate in shadow mode; see `shadow`
pointers/<model>.history.json  the ledger up to the last outcome, for the page; see `history`
"""

import math
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from registry.atomic_files import as_store_errors, flush_to_disk, publish_folder, write_atomic
from registry.errors import PackageError, StoreError
from registry.history import History
from registry.package import ModelPackage, load_package
from registry.package.package_files import SIGNATURE, copy_package_file
from registry.package.signing import Signing
from registry.record import InvalidRecord, Positive, Record, Sha256
from registry.shadow import Shadow

R = TypeVar("R", bound=Record)
SCRATCH_AGE = timedelta(hours=1)


class Pointer(Record, frozen=True, kw_only=True):
    """The promotion of a model that servers must follow."""

    model: str
    number: Positive
    sha256: Sha256


class ModelStore:
    """Packages and pointers below one root folder."""

    def __init__(self, root: Path, signing: Signing | None = None) -> None:
        self.root = root
        self.signing = signing or Signing()
        self._check: Callable[[], None] | None = None

    def fenced(self, check: Callable[[], None]) -> "ModelStore":
        """Return the same store, which calls `check` right before it replaces a pointer.

        The new file is then on the disk, so that little time passes between the two. What `check`
        raises keeps the pointer as it is.
        """
        store = copy(self)
        store._check = check  # noqa: SLF001 - a copy of this one
        return store

    def run_check(self) -> None:
        """Call what `fenced` was given; does nothing in any other store."""
        if self._check:
            self._check()

    def now(self) -> datetime | None:
        """Return the time of day of the volume's server, UTC; None where nothing can be written."""
        try:
            with TemporaryFile(dir=self.root) as file:
                return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        except OSError:
            return None

    def trial(self, name: str) -> Path:
        """Return where the package of a trial is, or will be."""
        return self.root / "trials" / name

    def model(self, sha256: str) -> Path:
        """Return where the promoted package with this digest is, or will be."""
        return self.root / "models" / sha256

    def pointer_path(self, model: str) -> Path:
        """Return the file that servers of `model` watch."""
        return self.root / "pointers" / f"{model}.json"

    def add(self, package: ModelPackage) -> Path:
        """Copy a verified package under its digest and verify the copy; idempotent.

        Raises:
            StoreError: when the volume is full or read-only.
            PackageError: when the copy does not verify; then nothing appears under the digest.
        """
        target = self.model(package.digest)
        if not _is_intact(target, package.digest):
            publish_folder(
                target,
                lambda folder: _copy_package(package, folder),
                keep=lambda path: _is_intact(path, package.digest),
            )
        return target

    def sign(self, package: ModelPackage) -> str:
        """Sign a package that was added, where a key is set; return who has signed it.

        Raises:
            StoreError: when the key cannot be used, or the volume is full or read-only.
            PackageError: when it is not signed as servers of this store want it.
        """
        if self.signing == Signing():
            return ""
        signature = self.signing.sign(package)
        if signature:
            self._write_signature(package.digest, signature)
        added = load_package(self.model(package.digest), digest=package.digest)
        return self.signing.check(added) or self.signing.own_name

    def _write_signature(self, sha256: str, signature: bytes) -> None:
        write_atomic(self.model(sha256) / SIGNATURE, signature)

    def open(self, sha256: str) -> ModelPackage:
        """Load a promoted package by its digest.

        Raises:
            PackageError: when it is missing, does not verify, or is not signed by whom it must be.
        """
        package = load_package(self.model(sha256), digest=sha256)
        self.signing.check(package)
        return package

    def pointer(self, model: str) -> Pointer | None:
        """Read the pointer; None when nothing was ever promoted.

        Raises:
            StoreError: when the file is damaged or cannot be read.
        """
        hint = "the ledger knows what is in production: run `tunegate repair`"
        return _read_record(Pointer, self.pointer_path(model), hint)

    def models(self) -> list[str]:
        """Return the names of the models that have a pointer, sorted.

        Raises:
            StoreError: when the folder cannot be read.
        """
        folder = self.root / "pointers"
        found: list[Path] = []
        with as_store_errors(folder), suppress(FileNotFoundError, NotADirectoryError):
            found = list(folder.iterdir())
        # Shadows and histories are next to the pointers; a model's name holds no dot.
        names = [path.name.removesuffix(".json") for path in found if path.suffix == ".json"]
        return sorted(name for name in names if "." not in name)

    def refresh(self, model: str) -> None:
        """Bring what others wrote into the folder: nothing, where they write to the folder itself.

        Raises:
            RegistryError: when it cannot be read, or does not verify; the folder stays as it was.
        """

    def point(self, pointer: Pointer) -> None:
        """Let servers follow this promotion, in one step.

        Raises:
            StoreError: when the volume is full or read-only.
        """
        path = self.pointer_path(pointer.model)
        write_atomic(path, pointer.to_json(), check=self.run_check)

    def unpoint(self, model: str) -> None:
        """Remove the pointer: nothing is in production (the first promotion of all was reverted).

        Raises:
            StoreError: when the volume is read-only.
        """
        self.run_check()
        _remove_file(self.pointer_path(model))

    def shadow_path(self, model: str) -> Path:
        """Return the file that configures shadow mode for servers of `model`."""
        return self.root / "pointers" / f"{model}.shadow.json"

    def shadow(self, model: str) -> Shadow | None:
        """Read the shadow mode's configuration; None if it is off.

        Raises:
            StoreError: when the file is damaged or cannot be read.
        """
        return _read_record(
            Shadow, self.shadow_path(model), "set the shadow again, or `tunegate shadow --stop`"
        )

    def set_shadow(self, shadow: Shadow) -> None:
        """Start shadow mode with a package that is in the store already, see `add`; in one step.

        Raises:
            StoreError: when the volume is full or read-only.
        """
        write_atomic(self.shadow_path(shadow.model), shadow.to_json())

    def clear_shadow(self, model: str) -> None:
        """End shadow mode.

        Raises:
            StoreError: when the volume is read-only.
        """
        _remove_file(self.shadow_path(model))

    def history_path(self, model: str) -> Path:
        """Return the file with the copy of `model`'s ledger for servers."""
        return self.root / "pointers" / f"{model}.history.json"

    def history(self, model: str) -> History | None:
        """Read the copy of the ledger's history; None when none was ever written.

        Raises:
            StoreError: when the file is damaged, of another format, or cannot be read.
        """
        return _read_record(History, self.history_path(model), "run `tunegate repair`")

    def write_history(self, history: History) -> None:
        """Replace the copy of the ledger's history, in one step.

        Raises:
            StoreError: when the volume is full or read-only.
        """
        write_atomic(self.history_path(history.model), history.to_json(indent=1))

    def remove_scratch(self) -> int:
        """Delete what killed writers of packages left more than an hour ago; return how many.

        A copy takes seconds, and each file that it writes makes it young again. A folder that
        cannot be read is left as it is: what needs it says what is wrong.
        """
        now = self.now()
        if now is None:
            return 0
        oldest = (now - SCRATCH_AGE).timestamp()
        removed = 0
        for folder in (self.root / "models", self.root / "trials"):
            for path in _hidden(folder):
                if _last_change(path) < oldest:
                    shutil.rmtree(path, ignore_errors=True)
                    removed += not path.exists()
        return removed

    def prune_trials(self, keep: Iterable[str]) -> list[str]:
        """Delete the packages of all trials but these; return the names of the deleted ones.

        Packages that are still being written have names that begin with a dot; they are kept.
        """
        folder = self.root / "trials"
        kept = set(keep)
        found = folder.iterdir() if folder.is_dir() else ()
        gone = [path for path in found if path.name not in kept and not path.name.startswith(".")]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)
        return sorted(path.name for path in gone if not path.exists())


def _read_record(kind: type[R], path: Path, hint: str) -> R | None:
    try:
        return kind.parse(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, InvalidRecord) as error:
        raise StoreError(f"{path}: not a readable {kind.__name__.lower()}", hint=hint) from error


def _hidden(folder: Path) -> list[Path]:
    """Return what is in a folder under a name that begins with a dot."""
    try:
        return list(folder.glob(".*"))
    except OSError:
        return []


def _last_change(path: Path) -> float:
    """Return the last change of a folder or of those in it, seconds since 1970."""
    try:
        inside = [each.stat().st_mtime for each in path.iterdir()]
        return max([path.stat().st_mtime, *inside])
    except OSError:  # its writer has finished meanwhile
        return math.inf


def _remove_file(path: Path) -> None:
    with as_store_errors(path), suppress(FileNotFoundError):
        path.unlink()
        flush_to_disk(path.parent)


def _is_intact(path: Path, digest: str) -> bool:
    try:
        load_package(path, digest=digest)
    except PackageError:
        return False
    return True


def _copy_package(package: ModelPackage, folder: Path) -> None:
    for name in package.files:
        copy_package_file(package.path / name, folder / name)
    if os.path.lexists(package.path / SIGNATURE):
        copy_package_file(package.path / SIGNATURE, folder / SIGNATURE)
    load_package(folder, digest=package.digest)
