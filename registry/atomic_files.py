"""Files and folders that appear whole or not at all.

A reader never sees half a file: everything is written next to its target, flushed to the disk, then
renamed over it.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from registry.errors import StoreError


@contextmanager
def as_store_errors(target: Path) -> Iterator[None]:
    """Turn an OSError while `target` is written into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"cannot write {target}: {reason}",
            hint="free some space or make the folder writable, then run the same command again; "
            "nothing was changed",
        ) from error


def flush_to_disk(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(target: Path, *, check: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Write a new file while the block runs; it becomes `target` when the block has ended well.

    A crash leaves the old file or the new one. The folder must be there. `check` is called right
    before `target` is replaced; what it raises keeps the old file.

    Raises:
        StoreError: when the volume is full or read-only.
    """
    with as_store_errors(target):
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                # mkstemp's 0600 would hide the file from a server that runs as another user.
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            if check:
                check()
            temporary.replace(target)
            flush_to_disk(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomic(target: Path, content: bytes, *, check: Callable[[], None] | None = None) -> None:
    """Replace `target` by `content` in one step, and make its folder; raises as `atomic_file`."""
    with as_store_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(target, check=check) as file:
        file.write(content)


def publish_folder(
    target: Path, fill: Callable[[Path], None], *, keep: Callable[[Path], bool] = lambda _: False
) -> None:
    """Let `fill` write a new folder, flush it, and move it to `target`, replacing what is there.

    The old folder, if any, is moved aside first and removed last. So a crash leaves one of the two
    under the name, or the old one next to it, never a mixture. A folder that `keep` accepts stays:
    another writer was faster.

    Raises:
        StoreError: when the volume is full or read-only.
    """
    with as_store_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            fresh = scratch / "new"
            fresh.mkdir()
            fill(fresh)
            for file in fresh.iterdir():
                flush_to_disk(file)
            flush_to_disk(fresh)
            _rename_onto(fresh, target, scratch / "old", keep)
            flush_to_disk(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _rename_onto(fresh: Path, target: Path, aside: Path, keep: Callable[[Path], bool]) -> None:
    try:
        fresh.rename(target)  # onto nothing, so of several writers one succeeds
    except OSError:
        if not target.exists():
            raise
        if not keep(target):
            _replace_folder(fresh, target, aside)


def _replace_folder(fresh: Path, target: Path, aside: Path) -> None:
    target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        aside.rename(target)
        raise
