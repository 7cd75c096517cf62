"""Which kernel walks the trees: the C library beside this module where it was built, numpy where it was not.

`TUNEGATE_KERNEL=numpy` in the environment, read at import, leaves the library alone. Both give the same bits.
"""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.package.walk import NumpyWalk

LIBRARY = Path(__file__).with_name("libkernel.so")
VERSION = 1  # as in kernel.c
NODE = np.dtype([("threshold", np.float32), ("feature", np.uint32), ("left", np.int32), ("right", np.int32)])


class Walk(Protocol):
    """The sums of a forest whose arrays, like the rows given here, were checked."""

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
    )


class _Library:
    """The functions of the shared library.

    Rows are summed without Python's lock, one row with it: giving it away for 5 us can cost the 5 ms after which
    another thread gives it back.

    Raises:
        OSError: when there is no such library, or it is of another version.
    """

    def __init__(self, path: Path) -> None:
        free, locked = ctypes.CDLL(str(path)), ctypes.PyDLL(str(path))
        try:
            found = free.tunegate_kernel_version()
            self.sum_row, self.sum_rows = locked.tunegate_sum_row, free.tunegate_sum_rows
        except AttributeError as error:
            raise OSError(f"{path}: not the kernel's library") from error
        if found != VERSION:
            raise OSError(f"{path}: version {found}, expected {VERSION}")
        self.sum_row.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.sum_rows.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p)
        self.sum_row.restype = self.sum_rows.restype = None


class CWalk:
    """The trees as the C kernel reads them: packed nodes and leaves, copied once; see `Walk`."""

    def __init__(self, library: _Library, arrays: Mapping[str, NDArray[Any]], *, n_features: int) -> None:
        nodes = np.empty(len(arrays["feature"]), dtype=NODE)
        nodes["threshold"], nodes["left"], nodes["right"] = arrays["threshold"], arrays["left"], arrays["right"]
        nodes["feature"] = arrays["feature"].astype(np.uint32) * 2 + arrays["missing_left"]
        roots, values = arrays["start"][:-1].copy(), arrays["value"].copy(order="C")
        self._kept = nodes, roots, values  # the structure only points at them
        self._n_outputs = values.shape[1]
        where = (array.ctypes.data for array in self._kept)
        self._forest = _Forest(*where, len(roots), n_features, self._n_outputs)
        self._address = ctypes.addressof(self._forest)
        self._sum_row, self._sum_rows = library.sum_row, library.sum_rows
        self._sums = ctypes.c_double * self._n_outputs

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:  # noqa: D102 - see Walk
        total = np.empty((len(x), self._n_outputs))
        # The copy is in order whatever x was cut from, and cheaper than asking numpy for an address.
        self._sum_rows(self._address, x.tobytes(), len(x), total.ctypes.data)
        return total

    def sums_row(self, row: bytes) -> tuple[float, ...]:  # noqa: D102 - as the protocol says
        total = self._sums()
        self._sum_row(self._address, row, total)
        return tuple(total)


def load(path: Path, environment: Mapping[str, str]) -> _Library | None:
    """Return the library at `path`, or None where numpy is asked for, or must do."""
    if environment.get("TUNEGATE_KERNEL") == "numpy":
        return None
    try:
        return _Library(path)
    except OSError:
        return None


_library = load(LIBRARY, os.environ)
KERNEL = "c" if _library else "numpy"


def make_walk(arrays: Mapping[str, NDArray[Any]], *, n_features: int, depth: int) -> Walk:
    """Prepare checked arrays for the kernel that runs here."""
    if _library:
        return CWalk(_library, arrays, n_features=n_features)
    return NumpyWalk(arrays, n_features=n_features, depth=depth)
