"""Tensors as bytes: the binary tensor data extension of V2 over REST, and gRPC's raw contents.

Values are little-endian, in row-major order, without gaps; a BOOL is one byte, 0 or 1; a BYTES
value is its length as uint32 and then its bytes, here UTF-8.

Source: Triton's document "Binary Tensor Data Extension", which KServe's follows.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.codecs.tensors import NUMBERS, Tensor, count, fault, faults, known

DTYPES: Mapping[str, np.dtype[Any]] = {**NUMBERS, "BOOL": np.dtype(np.uint8)}
LENGTH = Struct("<I")
Bytes = bytes | memoryview


def unpack(name: str, datatype: str, shape: Sequence[int], content: Bytes) -> Tensor:
    """Read a tensor's bytes.

    Raises:
        Problem: 422 if datatype and shape need another number of bytes, or a value is not of the
            datatype.
    """
    n = count(name, shape)
    if datatype == "BYTES":
        return Tensor(name, datatype, shape, decode_texts(name, _split_texts(name, n, content)))
    size = n * DTYPES[known(name, datatype)].itemsize
    if len(content) != size:
        fault(
            name,
            f"has {len(content)} bytes; {size} are expected for {datatype} of shape {list(shape)}",
        )
    values: NDArray[Any] = np.frombuffer(content, DTYPES[datatype])
    if datatype == "BOOL":
        values = _check_booleans(name, values)
    return Tensor(name, datatype, shape, values)


def pack(tensor: Tensor) -> bytes:
    """Return a tensor's values as bytes."""
    if tensor.datatype != "BYTES":
        return tensor.values.astype(DTYPES[tensor.datatype], copy=False).tobytes()
    encoded = [text.encode() for text in tensor.values.tolist()]
    return b"".join(part for text in encoded for part in (LENGTH.pack(len(text)), text))


def split(content: Bytes, sizes: Sequence[int]) -> list[memoryview]:
    """Cut the bytes that follow a request's JSON into parts of the sizes that the JSON gives.

    Raises:
        Problem: 422 unless the parts cover the bytes exactly.
    """
    if sum(sizes) != len(content):
        fault(
            "binary_data_size",
            f"the sizes add up to {sum(sizes)} bytes; {len(content)} follow the JSON",
        )
    ends = list(accumulate(sizes))
    return [memoryview(content)[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def decode_texts(name: str, elements: Sequence[bytes]) -> NDArray[Any]:
    """Return texts, dtype object, from UTF-8.

    Raises:
        Problem: 422 if elements are not UTF-8.
    """
    found = np.empty(len(elements), dtype=object)
    wrong: list[int] = []
    for i, element in enumerate(elements):
        try:
            found[i] = element.decode()
        except UnicodeDecodeError:
            wrong.append(i)
    faults(name, dict.fromkeys(wrong, "is not UTF-8"))
    return found


def _split_texts(name: str, n: int, content: Bytes) -> list[bytes]:
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
            fault(f"{name}[{len(found)}]", f"has a length that ends at byte {at} of {len(content)}")
        found.append(bytes(content[end:at]))
    if len(found) != n or at != len(content):
        fault(name, f"has {len(content)} bytes, of which {len(found)} of {n} values take {at}")
    return found


def _check_booleans(name: str, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    faults(name, dict.fromkeys(np.flatnonzero(values > 1).tolist(), "is neither 0 nor 1"))
    return values.astype(bool)
