"""Columns of free text: words, hashed into a fixed number of features.

It is what scikit-learn's `HashingVectorizer(n_features=buckets, alternate_sign=False, norm=None)`
gives, without scikit-learn: lower case, words of two or more letters, digits or underscores, their
MurmurHash3. Counts are kept as they are, because trees do not mind scale; and they have one sign,
so that two words in a bucket add up instead of hiding each other.
"""

import re
from collections.abc import Mapping
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from registry.package.column_kinds.kind import (
    AnyText,
    Cell,
    CellArray,
    ColumnFields,
    ColumnKind,
    ColumnRecord,
    ComputedFeatures,
    Features,
    RawValues,
)

WORD = re.compile(r"\b\w\w+\b")
LEAST_BUCKETS = 16
USUAL_BUCKETS = 256  # of a column with that many words or more
MAX_BUCKETS = 1024  # of a package
ROWS_AT_ONCE = 1 << 12  # a table of counts is as large as their encoded features
_UINT32 = 0xFFFFFFFF
_INT32_MAX = 0x7FFFFFFF


class TextKind(ColumnKind):
    """A text; each feature counts the words of a bucket, and a missing text has no words."""

    name = "text"
    json_type = "string"
    tensor_datatype = "BYTES"
    tensor_datatypes = ("BYTES",)
    widget = "textarea"
    has_computed_features = True
    own_fields = frozenset({"buckets"})
    present_type = AnyText

    def check(self, column: ColumnRecord) -> None:
        """Check the number of buckets.

        Raises:
            ValueError: when it is not from 1 to `MAX_BUCKETS`.
        """
        if not 1 <= column.buckets <= MAX_BUCKETS:
            raise ValueError(
                f"column {column.name}: {column.buckets} buckets; "
                f"from 1 to {MAX_BUCKETS} are expected"
            )

    def takes_any_text(self, column: ColumnRecord) -> bool:
        del column
        return True

    def documentation(self, column: ColumnRecord) -> str:
        del column
        return "free text"

    def describe(self, present: CellArray) -> ColumnFields:
        """Return a text of median length, and a bucket for each word, up to `USUAL_BUCKETS`."""
        texts = present.tolist()
        by_length = sorted(texts, key=lambda text: (len(text), text))
        words = len(set(chain.from_iterable(map(_words, texts))))
        buckets = LEAST_BUCKETS
        while buckets < min(words, USUAL_BUCKETS):
            buckets *= 2
        return {"typical": by_length[(len(texts) - 1) // 2], "buckets": buckets}

    def feature_names(self, column: ColumnRecord) -> list[str]:
        return [f"{column.name} words {i}" for i in range(column.buckets)]

    def cell_features(self, column: ColumnRecord) -> Mapping[Cell, Features]:
        return ComputedFeatures(self, column)

    def encode(self, column: ColumnRecord, values: RawValues) -> NDArray[np.float32]:
        encoded = np.empty((len(values), column.buckets), dtype=np.float32)
        bucket_of: dict[str, int] = {}
        for start in range(0, len(values), ROWS_AT_ONCE):
            some = values[start : start + ROWS_AT_ONCE]
            encoded[start : start + len(some)] = _count_words(some, column.buckets, bucket_of)
        return encoded


def murmurhash3(content: bytes) -> int:
    """Return MurmurHash3_x86_32 with seed 0, as a signed 32-bit integer."""
    whole = len(content) - len(content) % 4
    state = 0
    for block in np.frombuffer(content[:whole], dtype="<u4").tolist():
        state ^= _scramble(block)
        state = (state << 13 | state >> 19) & _UINT32
        state = (state * 5 + 0xE6546B64) & _UINT32
    if whole < len(content):
        state ^= _scramble(int.from_bytes(content[whole:], "little"))
    state ^= len(content) & _UINT32
    state = (state ^ state >> 16) * 0x85EBCA6B & _UINT32
    state = (state ^ state >> 13) * 0xC2B2AE35 & _UINT32
    state ^= state >> 16
    return state - (1 << 32) if state > _INT32_MAX else state


def _scramble(block: int) -> int:
    product = block * 0xCC9E2D51 & _UINT32
    product = (product << 15 | product >> 17) & _UINT32
    return product * 0x1B873593 & _UINT32


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _bucket(word: str, buckets: int) -> int:
    number = murmurhash3(word.encode())
    if number == -_INT32_MAX - 1:  # scikit-learn's way around its absolute value
        return (_INT32_MAX - (buckets - 1)) % buckets
    return abs(number) % buckets


def _count_words(values: RawValues, buckets: int, bucket_of: dict[str, int]) -> NDArray[np.float32]:
    """Return float32 (n, buckets); `bucket_of` keeps the words that were hashed before."""
    words = [[] if value is None else _words(value) for value in values]
    for word in set(chain.from_iterable(words)).difference(bucket_of):
        bucket_of[word] = _bucket(word, buckets)
    sizes = np.fromiter(map(len, words), dtype=np.intp, count=len(words))
    found = np.fromiter(
        map(bucket_of.__getitem__, chain.from_iterable(words)), dtype=np.intp, count=sizes.sum()
    )
    cells = np.repeat(np.arange(len(words)), sizes) * buckets + found
    counts = np.bincount(cells, minlength=len(words) * buckets)
    return counts.astype(np.float32).reshape(len(words), buckets)
