"""Tensors as bytes: the binary tensor data extension of V2 over REST, and gRPC's raw contents.

Source: Triton's document "Binary Tensor Data Extension", which KServe's follows: little-endian, row-major, without
gaps; a BOOL is one byte, 0 or 1; a BYTES value is its length as uint32 and then its bytes, here UTF-8.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.tensors import NUMBERS, Tensor, count, fault, known

DTYPES: Mapping[str, np.dtype[Any]] = {**NUMBERS, "BOOL": np.dtype(np.uint8)}
LENGTH = Struct("<I")
Bytes = bytes | memoryview


def unpack(name: str, datatype: str, shape: Sequence[int], content: Bytes) -> Tensor:
    """Read a tensor's bytes, after their number was compared with the shape.

    Raises:
        Problem: 422.
    """
    n = count(name, shape)
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, texts(name, _elements(name, n, content)))
    size = n * DTYPES[known(name, datatype)].itemsize
    if len(content) != size:
        fault(
            name,
            f"has {len(content)} bytes; {size} are expected for {datatype} of shape {list(shape)}",
        )
    values: NDArray[Any] = np.frombuffer(content, DTYPES[datatype])
    return Tensor(name, datatype, shape, _booleans(name, values) if datatype == "BOOL" else values)


def pack(tensor: Tensor) -> bytes:
    """Return a tensor's values as bytes."""
    if tensor.datatype != "BYTES":
        return tensor.values.astype(DTYPES[tensor.datatype], copy=False).tobytes()
    encoded = [text.encode() for text in tensor.values.tolist()]
    return b"".join(part for text in encoded for part in (LENGTH.pack(len(text)), text))


def split(content: Bytes, sizes: Sequence[int]) -> list[memoryview]:
    """Cut what follows a request's JSON into the sizes that the JSON gives, one after the other.

    Raises:
        Problem: 422 unless they cover it exactly.
    """
    if sum(sizes) != len(content):
        fault(
            "binary_data_size",
            f"the sizes add up to {sum(sizes)} bytes; {len(content)} follow the JSON",
        )
    ends = list(accumulate(sizes))
    return [memoryview(content)[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def texts(name: str, elements: Sequence[bytes]) -> NDArray[Any]:
    """Return bytes as texts, dtype object.

    Raises:
        Problem: 422 where they are not UTF-8.
    """
    found = np.empty(len(elements), dtype=object)
    for i, element in enumerate(elements):
        try:
            found[i] = element.decode()
        except UnicodeDecodeError:
            fault(f"{name}[{i}]", "is not UTF-8")
    return found


def _elements(name: str, n: int, content: Bytes) -> list[bytes]:
    if n * LENGTH.size > len(content):
        fault(name, f"has {len(content)} bytes, too few for {n} values")
    found: list[bytes] = []
    at = 0
    while at < len(content) and len(found) < n:
        end = at + LENGTH.size
        if end > len(content):
            break
        at = end + LENGTH.unpack_from(content, at)[0]
        if at > len(content):
            fault(f"{name}[{len(found)}]", f"is said to end at byte {at} of {len(content)}")
        found.append(bytes(content[end:at]))
    if len(found) != n or at != len(content):
        fault(name, f"has {len(content)} bytes, of which {len(found)} of {n} values take {at}")
    return found


def _booleans(name: str, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    wrong = values > 1
    if wrong.any():
        fault(f"{name}[{int(wrong.argmax())}]", "is neither 0 nor 1")
    return values.astype(bool)
