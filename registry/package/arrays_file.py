"""The file `model.npz`: the predictor, the hashes of its training rows, and some residuals.

rows        uint64 (n,), sorted
rounded_rows  uint64 (n,), sorted, optional; see `ModelPackage.rounded_rows`
residuals   float64 (at most 400, 2 or 3), optional; see `ModelPackage.residuals`
and the predictor's arrays, see `predictor`. Members are stored, not compressed, each has a known
name, and each begins where the one before it ends. So no byte is read twice, and the arrays are not
larger than the file.
"""

import io
import math
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.errors import PackageError
from registry.package.manifest import Manifest
from registry.package.numpy_kernel import NamedArrays
from registry.package.package_files import RETRAIN
from registry.package.predictor import KINDS, Predictor

MEMBERS = frozenset({"rows", "rounded_rows", "residuals"}).union(*KINDS)
MAX_RESIDUALS = 400
# The central directory of the few members that there may be; zipfile makes objects of all of it.
MAX_DIRECTORY = 1 << 16
END_RECORD = 22  # bytes, at the end of the file
LOCAL_HEADER = 30  # bytes, before a member's name
LOCATOR_64 = 20  # bytes before the end record, in archives beyond 4 GiB alone


def pack_arrays(
    predictor: Predictor,
    rows: NDArray[np.uint64],
    residuals: NDArray[np.float64] | None = None,
    rounded_rows: NDArray[np.uint64] | None = None,
) -> bytes:
    """Return the file's content; equal arrays give equal bytes."""
    more: dict[str, NDArray[Any]] = {}
    if rounded_rows is not None:
        more["rounded_rows"] = np.sort(rounded_rows)
    if residuals is not None:
        more["residuals"] = residuals
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, rows=np.sort(rows), **more, **predictor.arrays())
    return buffer.getvalue()


def unpack_arrays(content: bytes, path: Path) -> NamedArrays:
    """Return the arrays by name; they have plain types, nothing else is checked.

    Raises:
        PackageError: when this is not such a file; `path` is where it came from.
    """
    try:
        return _read_arrays(content)
    except Exception as error:  # on forged bytes, zipfile and numpy raise a dozen kinds
        raise PackageError(f"{path}: not a readable array file: {error}", hint=RETRAIN) from error


def rounded_training_rows(arrays: NamedArrays, path: Path) -> NDArray[np.uint64]:
    """Return the hashes of the rounded training rows, empty if there are none; or raise."""
    if "rounded_rows" not in arrays:
        return np.empty(0, dtype=np.uint64)
    return training_rows(arrays, path, "rounded_rows")


def training_rows(arrays: NamedArrays, path: Path, name: str = "rows") -> NDArray[np.uint64]:
    """Return the hashes of the training rows, or raise PackageError."""
    rows = arrays.get(name)
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint64 or rows.ndim != 1:
        raise PackageError(f"{path}: the hashes of the training rows are missing", hint=RETRAIN)
    return rows


def checked_residuals(
    arrays: NamedArrays, manifest: Manifest, path: Path
) -> NDArray[np.float64] | None:
    """Return the residuals, None if there are none, or raise PackageError."""
    found = arrays.get("residuals")
    if found is None:
        return None
    width = 3 if manifest.classes else 2
    if (
        not isinstance(found, np.ndarray)
        or found.dtype != np.float64
        or found.ndim != 2  # noqa: PLR2004 - a matrix
        or found.shape[1] != width
    ):
        raise PackageError(f"{path}: residuals must be float64 (n, {width})", hint=RETRAIN)
    if (
        len(found) > MAX_RESIDUALS
        or not np.isfinite(found).all()
        or not _are_plausible(found, len(manifest.classes))
    ):
        raise PackageError(
            f"{path}: residuals are too many, or no model can have given them", hint=RETRAIN
        )
    return found


def _are_plausible(residuals: NDArray[np.float64], n_classes: int) -> bool:
    if not n_classes:
        return True
    classes = residuals[:, :2]
    share = residuals[:, 2]
    known = (classes == np.floor(classes)) & (classes >= 0) & (classes < n_classes)
    return bool(known.all() and ((share >= 0) & (share <= 1)).all())


def _read_arrays(content: bytes) -> NamedArrays:
    _check_directory(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        _check_members(members, content, archive.start_dir)
        return {
            member.filename.removesuffix(".npy"): _read_array(archive.read(member))
            for member in members
        }


def _check_directory(content: bytes) -> None:
    """Check that the directory is as small as it must be, before zipfile reads it."""
    end = content[-END_RECORD:]
    (size,) = struct.unpack_from("<L", end.ljust(END_RECORD), 12)
    if not (end.startswith(b"PK\5\6") and end.endswith(b"\0\0")):
        raise ValueError("no archive, or something follows it")
    if size > MAX_DIRECTORY or content[-END_RECORD - LOCATOR_64 :].startswith(b"PK\6\7"):
        raise ValueError("more members than the format has")


def _check_members(members: Sequence[zipfile.ZipInfo], content: bytes, end: int) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise ValueError("a member is named twice")
    if unknown := set(names) - {f"{name}.npy" for name in MEMBERS}:
        raise ValueError(f"no array of the format: {min(unknown)}")
    expected = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed members are not part of the format")
        if member.header_offset != expected or member.compress_size != member.file_size:
            raise ValueError("members overlap, or there is something between them")
        name, extra = struct.unpack_from("<HH", content, expected + 26)
        expected += LOCAL_HEADER + name + extra + member.file_size
    if expected != end:
        raise ValueError("members overlap, or there is something between them")


def _read_array(content: bytes) -> NDArray[Any]:
    """Return a member's array; its header must describe as many bytes as there are."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of another version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError("an array is not as large as its header says")
    stream.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array
