"""Chooses the kernel that adds up a predictor's sums: the C library if built, otherwise numpy.

The C library also makes one row's answer of its sums. And it hashes a table's rows, which without
it Python's hashlib does.

`TUNEGATE_KERNEL=numpy` in the environment, read at import, forces numpy. Both give the same bits.
"""

import ctypes
import hashlib
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from registry.package.array_checks import FLOAT32_SIZE
from registry.package.c_kernel.packing import PackedLevels, pack_levels, pack_nodes
from registry.package.c_kernel.structures import (
    FOREST,
    LINEAR,
    LINKS,
    SYMMETRIC,
    WIDE,
    Answer,
    Forest,
    Library,
    Linear,
    Model,
    Symmetric,
)
from registry.package.manifest import Output
from registry.package.numpy_kernel import NamedArrays, NumpyLinear, NumpyTraversal, exponential

RowPredictor = Callable[[bytes], Sequence[float]]
LIBRARY = Path(__file__).with_name("libkernel.so")
STEPS = 8  # where no tree is deeper, all walks take the same number of steps


class RowSums(Protocol):
    """Adds leaves or terms; a predictor's arrays, and the rows given here, were checked before."""

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n_rows, n_outputs) for float32 (n_rows, n_features)."""

    def sums_row(self, row: bytes) -> Sequence[float]:
        """Return n_outputs sums for one row of packed native float32."""

    def row_predictor(self, output: Output, n_members: int) -> RowPredictor | None:
        """Return what answers one packed row as `output` says; None where numpy has to.

        It raises ValueError when a row has another length.
        """


class _CSums:
    """Calls the C kernel with a structure, and keeps what it points at; see `RowSums`."""

    def __init__(self, library: Library, structure: Model, kept: Sequence[NDArray[Any]]) -> None:
        self._library = library
        self._structure = structure
        self._kept = kept
        self.sums_row = self._row_predictor(Output(combine="sum"), 1)

    def sums(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(x)
        total = np.empty((len(x), self._structure.n_outputs))
        where = ctypes.addressof(self._structure)
        self._library.sum_rows(where, rows.ctypes.data, len(x), total.ctypes.data)
        return total

    def row_predictor(self, output: Output, n_members: int) -> RowPredictor | None:
        n_outputs = self._structure.n_outputs
        one_sum = output.link in {"logistic", "expm1"}
        if (one_sum and n_outputs > 1) or len(output.base) not in {0, n_outputs}:
            return None  # no learner makes such
        return self._row_predictor(output, n_members)

    def _row_predictor(self, output: Output, n_members: int) -> RowPredictor:
        base = np.array(output.base, dtype=np.float64)
        how = Answer(
            model=ctypes.addressof(self._structure),
            base=base.ctypes.data if output.base else None,
            members=n_members if output.combine == "mean" else 0,
            smooth=output.smooth,
            link=LINKS.index(output.link),
        )
        # The structures point at all of these.
        kept = (how, base, self._structure, self._kept)
        if self._structure.n_outputs > 1 or output.link == "softmax":
            return self._shares_predictor(ctypes.addressof(how), kept)
        return self._number_predictor(
            ctypes.addressof(how), kept, two_classes=output.link == "logistic"
        )

    def _number_predictor(self, address: int, kept: object, *, two_classes: bool) -> RowPredictor:
        size = FLOAT32_SIZE * self._structure.n_features
        number = self._library.answer_number

        def answer_number(row: bytes, kept: object = kept) -> Sequence[float]:  # noqa: ARG001 - lives on in it
            if len(row) != size:
                raise ValueError(f"expected {size} bytes, got {len(row)}")
            return (number(address, row),)

        def answer_both(row: bytes, kept: object = kept) -> Sequence[float]:  # noqa: ARG001 - lives on in it
            if len(row) != size:
                raise ValueError(f"expected {size} bytes, got {len(row)}")
            positive = number(address, row)
            return (1.0 - positive, positive)

        return answer_both if two_classes else answer_number

    def _shares_predictor(self, address: int, kept: object) -> RowPredictor:
        size = FLOAT32_SIZE * self._structure.n_features
        make_shares = ctypes.c_double * self._structure.n_outputs
        write = self._library.answer_shares(make_shares)

        def answer_shares(row: bytes, kept: object = kept) -> Sequence[float]:  # noqa: ARG001 - lives on in it
            if len(row) != size:
                raise ValueError(f"expected {size} bytes, got {len(row)}")
            shares = make_shares()
            write(address, row, shares)
            found: list[float] = shares[:]
            return found

        return answer_shares


class CTraversal(_CSums):
    """The C kernel's traversal of packed nodes and leaves, copied once."""

    def __init__(
        self, library: Library, arrays: NamedArrays, *, n_features: int, depth: int
    ) -> None:
        kept = pack_nodes(arrays)
        nodes, roots, values = kept
        structure = Forest(
            kind=FOREST,
            n_features=n_features,
            n_outputs=values.shape[1],
            n_trees=len(roots),
            single=arrays["value"].dtype == np.float32,
            nodes=nodes.ctypes.data,
            roots=roots.ctypes.data,
            values=values.ctypes.data,
            steps=depth if depth <= STEPS else 0,
        )
        super().__init__(library, structure, kept)


class CSymmetric(_CSums):
    """The C kernel's questions of symmetric trees, as `pack_levels` packs them."""

    def __init__(self, library: Library, packed: PackedLevels, *, n_features: int) -> None:
        structure = Symmetric(
            kind=SYMMETRIC,
            n_features=n_features,
            n_outputs=packed.values.shape[1],
            n_trees=len(packed.depths),
            single=packed.single,
            questions=packed.questions.ctypes.data,
            depths=packed.depths.ctypes.data,
            values=packed.values.ctypes.data,
        )
        super().__init__(library, structure, (packed.questions, packed.depths, packed.values))


class CLinear(_CSums):
    """The C kernel's sums of a linear model, whose arrays are copied once."""

    def __init__(self, library: Library, arrays: NamedArrays) -> None:
        names = ("fill", "center", "scale", "coefficient", "intercept")
        kept = [np.array(arrays[name], order="C") for name in names]
        n_features, n_outputs = arrays["coefficient"].shape
        where = {name: array.ctypes.data for name, array in zip(names, kept, strict=True)}
        structure = Linear(kind=LINEAR, n_features=n_features, n_outputs=n_outputs, **where)
        super().__init__(library, structure, kept)


def load_library(path: Path, environment: Mapping[str, str]) -> Library | None:
    """Return the library at `path`; None if it is missing or `environment` forces numpy."""
    if environment.get("TUNEGATE_KERNEL") == "numpy":
        return None
    try:
        return Library(path)
    except OSError:
        return None


_library = load_library(LIBRARY, os.environ)
KERNEL = "c" if _library else "numpy"


def make_traversal(arrays: NamedArrays, *, n_features: int, depth: int) -> RowSums:
    """Prepare a forest's checked arrays for the kernel that was chosen."""
    if not _library:
        return NumpyTraversal(arrays, n_features=n_features, depth=depth)
    if n_features <= WIDE and (packed := pack_levels(arrays)):
        return CSymmetric(_library, packed, n_features=n_features)
    return CTraversal(_library, arrays, n_features=n_features, depth=depth)


def make_linear_sums(arrays: NamedArrays) -> RowSums:
    """Prepare a linear model's checked arrays for the kernel that was chosen."""
    if _library:
        return CLinear(_library, arrays)
    return NumpyLinear(arrays)


def exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e to the power of x, off by less than one ulp, with the same bits on every machine."""
    return _exponential(x, minus_one=False)


def expm1(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `exp` less 1, off by less than two ulp, with the same bits on every machine."""
    return _exponential(x, minus_one=True)


def _exponential(x: NDArray[np.float64], *, minus_one: bool) -> NDArray[np.float64]:
    if _library is None:
        return exponential(x, minus_one=minus_one)
    found = np.array(x, dtype=np.float64, order="C")
    _library.exp(found.ctypes.data, found.size, minus_one)
    return found


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
