"""Chooses the kernel that adds up a predictor's sums: the C library if built, otherwise numpy.

It also hashes a table's rows, which without the library Python's hashlib does.

`TUNEGATE_KERNEL=numpy` in the environment, read at import, forces numpy. Both give the same bits.
"""

import ctypes
import hashlib
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.package.numpy_kernel import NamedArrays, NumpyLinear, NumpyTraversal

CFunction = Any  # of ctypes
LIBRARY = Path(__file__).with_name("libkernel.so")
VERSION = 5  # as in kernel.c
NODE = np.dtype([("threshold", np.float32), ("feature", np.uint32), ("left", np.uint32)])
_LEAF = np.array((np.inf, 1, 0), dtype=NODE)  # nothing goes right, not even missing values


class RowSums(Protocol):
    """Adds leaves or terms; a predictor's arrays, and the rows given here, were checked before."""

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n_rows, n_outputs) for float32 (n_rows, n_features)."""

    def sums_row(self, row: bytes) -> tuple[float, ...]:
        """Return n_outputs sums for one row of packed native float32."""


class _Forest(ctypes.Structure):
    _fields_ = (
        ("nodes", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("n_trees", ctypes.c_int64),
        ("n_features", ctypes.c_int64),
        ("n_outputs", ctypes.c_int64),
        ("single", ctypes.c_int64),
    )


class _Linear(ctypes.Structure):
    _fields_ = (
        ("fill", ctypes.c_void_p),
        ("center", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("coefficient", ctypes.c_void_p),
        ("intercept", ctypes.c_void_p),
        ("n_features", ctypes.c_int64),
        ("n_outputs", ctypes.c_int64),
    )


class _Library:
    """The functions of the shared library.

    Several rows are summed without Python's lock, one row with it: releasing the lock for 5 us can
    cost the 5 ms after which another thread releases it.

    Raises:
        OSError: when there is no such library, or it is of another version.
    """

    def __init__(self, path: Path) -> None:
        free = ctypes.CDLL(str(path))
        locked = ctypes.PyDLL(str(path))
        try:
            found = free.tunegate_kernel_version()
            self.sum_row = locked.tunegate_sum_row
            self.sum_rows = free.tunegate_sum_rows
            self.linear_row = locked.tunegate_linear_row
            self.linear_rows = free.tunegate_linear_rows
            self.hash_pieces = free.tunegate_hash_pieces
        except AttributeError as error:
            raise OSError(f"{path}: not the kernel's library") from error
        if found != VERSION:
            raise OSError(f"{path}: version {found}, expected {VERSION}")
        for of_row in (self.sum_row, self.linear_row):
            of_row.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
            of_row.restype = None
        for of_rows in (self.sum_rows, self.linear_rows):
            of_rows.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p)
            of_rows.restype = None
        place, count, address = ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
        self.hash_pieces.argtypes = (place, count, count, place, count, address)
        self.hash_pieces.restype = None


class _CSums:
    """Calls the C kernel with a structure; see `RowSums`."""

    def __init__(
        self, structure: ctypes.Structure, of_row: CFunction, of_rows: CFunction, n_outputs: int
    ) -> None:
        self._structure = structure
        self._address = ctypes.addressof(structure)
        self._of_row = of_row
        self._of_rows = of_rows
        self._n_outputs = n_outputs
        self._sums = ctypes.c_double * n_outputs

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.empty((len(x), self._n_outputs))
        # The copy is contiguous whatever x is a view of, and cheaper than numpy's address.
        self._of_rows(self._address, x.tobytes(), len(x), total.ctypes.data)
        return total

    def sums_row(self, row: bytes) -> tuple[float, ...]:
        total = self._sums()
        self._of_row(self._address, row, total)
        return tuple(total)


class CTraversal(_CSums):
    """The C kernel's traversal of packed nodes and leaves, copied once."""

    def __init__(self, library: _Library, arrays: NamedArrays, *, n_features: int) -> None:
        self._kept = _pack_nodes(arrays)  # the structure only points at them
        nodes, roots, values = self._kept
        n_outputs = values.shape[1]
        where = (array.ctypes.data for array in (nodes, roots, values))
        single = arrays["value"].dtype == np.float32
        structure = _Forest(*where, len(roots), n_features, n_outputs, single)
        super().__init__(structure, library.sum_row, library.sum_rows, n_outputs)


class CLinear(_CSums):
    """The C kernel's sums of a linear model, whose arrays are copied once."""

    def __init__(self, library: _Library, arrays: NamedArrays) -> None:
        names = ("fill", "center", "scale", "coefficient", "intercept")
        self._kept = [np.array(arrays[name], order="C") for name in names]
        where = (array.ctypes.data for array in self._kept)
        n_features, n_outputs = arrays["coefficient"].shape
        structure = _Linear(*where, n_features, n_outputs)
        super().__init__(structure, library.linear_row, library.linear_rows, n_outputs)


def _pack_nodes(
    arrays: NamedArrays,
) -> tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float64]]:
    """Renumber the nodes so that siblings are neighbours; return packed nodes, roots and values.

    A tree whose inner nodes are i[0] < i[1] < ... keeps its position and its root; then come the
    children of i[0], those of i[1], and so on. Every node but the root is a child, and its parent
    comes before it, so this fills the tree exactly and children stay after their parents. A leaf is
    its own left child, 0 nodes further on. All returned arrays are copies.
    """
    start, left, right = (arrays[name] for name in ("start", "left", "right"))
    inner = (left != np.arange(len(left))).nonzero()[0]
    tree = np.repeat(np.arange(len(start) - 1), np.diff(start) // 2)
    # Before it are a pair for each earlier inner node, and a root for each tree.
    child = 2 * np.arange(len(inner)) + 1 + tree
    place = np.empty(len(left), dtype=np.intp)
    place[start[:-1]] = start[:-1]
    place[left[inner]] = child
    place[right[inner]] = child + 1
    nodes = np.full(len(left), _LEAF, dtype=NODE)
    at = place[inner]
    nodes["threshold"][at] = arrays["threshold"][inner]
    nodes["left"][at] = child - at
    nodes["feature"][at] = (
        arrays["feature"][inner].astype(np.uint32) * 2 + arrays["missing_left"][inner]
    )
    values = np.empty(arrays["value"].shape)
    values[place] = arrays["value"]
    return nodes, start[:-1].copy(), values


def load_library(path: Path, environment: Mapping[str, str]) -> _Library | None:
    """Return the library at `path`; None if it is missing or `environment` forces numpy."""
    if environment.get("TUNEGATE_KERNEL") == "numpy":
        return None
    try:
        return _Library(path)
    except OSError:
        return None


_library = load_library(LIBRARY, os.environ)
KERNEL = "c" if _library else "numpy"


def make_traversal(arrays: NamedArrays, *, n_features: int, depth: int) -> RowSums:
    """Prepare a forest's checked arrays for the kernel that was chosen."""
    if _library:
        return CTraversal(_library, arrays, n_features=n_features)
    return NumpyTraversal(arrays, n_features=n_features, depth=depth)


def make_linear_sums(arrays: NamedArrays) -> RowSums:
    """Prepare a linear model's checked arrays for the kernel that was chosen."""
    if _library:
        return CLinear(_library, arrays)
    return NumpyLinear(arrays)


def hash_pieces(content: bytes, *, size: int, key: bytes = b"") -> NDArray[np.uint64]:
    """Return the first 8 bytes of the BLAKE2b of each piece, as big-endian numbers.

    Args:
        content: the pieces, one after the other.
        size: bytes of each, at least 1.
        key: at most 64 bytes.

    Returns:
        uint64 (n_pieces,).
    """
    if _library is None:
        return hash_by_python(content, size=size, key=key)
    digests = np.empty(len(content) // size, dtype=">u8")
    _library.hash_pieces(content, size, len(digests), key, len(key), digests.ctypes.data)
    return digests.astype(np.uint64)


def hash_by_python(content: bytes, *, size: int, key: bytes = b"") -> NDArray[np.uint64]:
    """Return what `hash_pieces` does, by hashlib."""
    copy_empty = hashlib.blake2b(digest_size=8, key=key).copy
    digests = []
    for (piece,) in struct.iter_unpack(f"{size}s", content):
        state = copy_empty()  # faster than a new one by a half
        state.update(piece)
        digests.append(state.digest())
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
