"""The structures and functions of kernel.c, as ctypes calls them."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

CFunction = Any  # of ctypes
VERSION = 6  # these lines, and all structures, as in kernel.c
FOREST, SYMMETRIC, LINEAR = range(3)
LINKS = ("identity", "logistic", "softmax", "expm1")
WIDE = 512  # features; wider rows are not laid out


class Model(ctypes.Structure):
    """How each kind of model begins; all fields are those of kernel.c."""

    _fields_: ClassVar[Sequence[tuple[str, Any]]] = (
        ("kind", ctypes.c_int64),
        ("n_features", ctypes.c_int64),
        ("n_outputs", ctypes.c_int64),
    )


class Forest(Model):
    """Trees whose nodes are walked."""

    _fields_ = (
        ("n_trees", ctypes.c_int64),
        ("single", ctypes.c_int64),
        ("nodes", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("steps", ctypes.c_int64),
    )


class Symmetric(Model):
    """Trees whose levels are asked."""

    _fields_ = (
        ("n_trees", ctypes.c_int64),
        ("single", ctypes.c_int64),
        ("questions", ctypes.c_void_p),
        ("depths", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
    )


class Linear(Model):
    """A linear model."""

    _fields_ = (
        ("fill", ctypes.c_void_p),
        ("center", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("coefficient", ctypes.c_void_p),
        ("intercept", ctypes.c_void_p),
    )


class Answer(ctypes.Structure):
    """How a row's sums become its answer."""

    _fields_ = (
        ("model", ctypes.c_void_p),
        ("base", ctypes.c_void_p),
        ("members", ctypes.c_double),
        ("smooth", ctypes.c_int64),
        ("link", ctypes.c_int64),
    )


class Library:
    """The functions of the shared library.

    Several rows are summed without Python's lock, one row with it: releasing the lock for 5 us can
    cost the 5 ms after which another thread releases it.

    Raises:
        OSError: when there is no such library, or it is of another version.
    """

    def __init__(self, path: Path) -> None:
        free = ctypes.CDLL(str(path))
        self._locked = ctypes.PyDLL(str(path))
        try:
            found = free.tunegate_kernel_version()
            self.answer_number = self._locked.tunegate_answer_number
            self.sum_rows = free.tunegate_sum_rows
            self.exp = free.tunegate_exp
            self.hash_pieces = free.tunegate_hash_pieces
        except AttributeError as error:
            raise OSError(f"{path}: not the kernel's library") from error
        if found != VERSION:
            raise OSError(f"{path}: version {found}, expected {VERSION}")
        text, count, address = ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p
        self.answer_number.argtypes = (address, text)
        self.answer_number.restype = ctypes.c_double
        self.sum_rows.argtypes = (address, address, count, address)
        self.exp.argtypes = (address, count, count)
        self.hash_pieces.argtypes = (text, count, count, text, count, address)
        for function in (self.sum_rows, self.exp, self.hash_pieces):
            function.restype = None

    def answer_shares(self, shares: type[ctypes.Array[ctypes.c_double]]) -> CFunction:
        """Return a function of its own for arrays of this type: faster than one for addresses."""
        function = self._locked["tunegate_answer_shares"]
        function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, shares)
        function.restype = None
        return function
