"""Lets the C library give memory back, so that a worker stays as small as its largest request."""

import ctypes
from contextlib import suppress

# Of mallopt, from glibc's malloc.h.
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
BIG = 1 << 18  # bytes; glibc itself would raise it to 32 MiB after the first large body
ARENAS = 2  # heaps; it would make eight for each processor, and keep what each has had


def bound_heaps() -> None:
    """Give large pieces back at once, and keep few heaps; does nothing without glibc."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, BIG)
