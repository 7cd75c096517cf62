"""The file `model.npz`: the flat forest, the hashes of its training rows, and some residuals.

rows        uint64 (n,), sorted
residuals   float64 (at most 400, 2 or 3), optional; see `ModelPackage.residuals`
and the forest's arrays, see `forest`. Members are stored, not compressed, so that a small file
cannot fill the memory.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.errors import PackageError
from registry.package.forest import FlatForest
from registry.package.manifest import Manifest

NamedArrays = Mapping[str, NDArray[Any]]
MAX_RESIDUALS = 400
RETRAIN = "fetch the package again, or train it again; what is in production is not touched"


def pack_arrays(
    forest: FlatForest, rows: NDArray[np.uint64], residuals: NDArray[np.float64] | None
) -> bytes:
    """Return the file's content; equal arrays give equal bytes."""
    more = {} if residuals is None else {"residuals": residuals}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, rows=np.sort(rows), **more, **forest.arrays())
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


def training_rows(arrays: NamedArrays, path: Path) -> NDArray[np.uint64]:
    """Return the hashes of the training rows, or raise PackageError."""
    rows = arrays.get("rows")
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
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("compressed members are not part of the format")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
