"""Reads a package's files, whatever an untrusted writer has put in their place.

A file is opened once, without following a link and without waiting for a pipe. Its descriptor, not
its name, then says whether it is a regular file and how large it is, and no more is read than that.
So a file that another process swaps meanwhile is one of the two, or refused.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from registry.errors import PackageError

MODEL = "model.npz"
MANIFEST = "manifest.json"
GOLDEN = "golden.json"
CARD = "card.md"
ONNX = "model.onnx"
EVIDENCE = "evidence.json"
SIGNATURE = "model.sig"  # of all others, see `signing`; no digest covers it
FILES = (MODEL, MANIFEST, GOLDEN, CARD)
OPTIONAL_FILES = (ONNX, EVIDENCE)
# Bytes, a part of the format: a reader makes room for a file before it knows the writer.
MAX_BYTES: Mapping[str, int] = {
    MODEL: 512 << 20,
    MANIFEST: 8 << 20,
    GOLDEN: 16 << 20,
    CARD: 1 << 20,
    ONNX: 1 << 30,
    EVIDENCE: 512 << 20,
    SIGNATURE: 1 << 20,
}
RETRAIN = "fetch the package again, or train it again; what is in production is not touched"
PIECE = 1 << 20  # bytes of a file that is not kept
FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_package_file(path: Path) -> bytes:
    """Return the content of a package's file; its name says how large it may be.

    Raises:
        PackageError: when it is missing, a link, not a regular file, too large, or changes while it
            is read.
    """
    return b"".join(_read_pieces(path, MAX_BYTES[path.name]))


def hash_package_file(path: Path) -> tuple[str, int]:
    """Return the sha256 and the size of a file that is not kept; raises as `read_package_file`."""
    found = hashlib.sha256()
    size = 0
    for piece in _read_pieces(path, PIECE):
        found.update(piece)
        size += len(piece)
    return found.hexdigest(), size


def copy_package_file(source: Path, target: Path) -> None:
    """Copy a file to a new one; raises as `read_package_file`, or OSError for the target."""
    with target.open("xb") as file:
        for piece in _read_pieces(source, PIECE):
            file.write(piece)


def check_size(name: str, size: int) -> None:
    """Check that readers will take a file of this size.

    Raises:
        PackageError: when it is too large.
    """
    if size > MAX_BYTES[name]:
        raise PackageError(
            f"{name}: {size} bytes; a package's may have {MAX_BYTES[name]}", hint=RETRAIN
        )


def _read_pieces(path: Path, step: int) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, FLAGS)
    except OSError as error:
        raise PackageError(f"{path}: {_opening_failed(error)}", hint=RETRAIN) from error
    try:
        left = _checked_size(descriptor, path)
        # One byte more than the file has tells whether it grew.
        while piece := os.read(descriptor, min(step, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            yield piece
    except OSError as error:
        raise PackageError(f"{path}: {error.strerror}", hint=RETRAIN) from error
    finally:
        os.close(descriptor)
    if left:
        raise PackageError(f"{path}: changed while it was read", hint=RETRAIN)


def _checked_size(descriptor: int, path: Path) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise PackageError(f"{path}: not a regular file", hint=RETRAIN)
    if status.st_size > MAX_BYTES[path.name]:
        raise PackageError(
            f"{path}: {status.st_size} bytes; a package's may have {MAX_BYTES[path.name]}",
            hint=RETRAIN,
        )
    return status.st_size


def _opening_failed(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "not a regular file, but a link"
    if error.errno == errno.ENXIO:  # a socket
        return "not a regular file"
    return error.strerror or str(error)
