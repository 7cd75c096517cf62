"""Messages of protobuf packed and read by hand, from field numbers alone; and V2's requests in them."""

from collections.abc import Sequence
from typing import Any

VARINT = 0
BYTES = 2


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def put(number: int, value: bytes | str) -> bytes:
    """Pack a field of bytes: a text, a message, or packed numbers."""
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def fields(content: bytes) -> dict[int, list[Any]]:
    """Read a message's fields by number, without its description."""
    found: dict[int, list[Any]] = {}
    at = 0

    def read_varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(content):
        key = read_varint()
        value: Any
        if key & 7 == VARINT:
            value = read_varint()
        else:
            assert key & 7 == BYTES
            size = read_varint()
            value = content[at : at + size]
            at = at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def tensor(name: str, datatype: str, shape: Sequence[int], contents: bytes = b"") -> bytes:
    """Pack an input; `contents` is a packed InferTensorContents."""
    packed = put(1, name) + put(2, datatype) + put(3, b"".join(map(varint, shape)))
    return packed + (put(5, contents) if contents else b"")


def request(model: str, inputs: Sequence[bytes], raw: Sequence[bytes] = (), **more: str) -> bytes:
    head = put(1, model) + put(2, more.get("version", "")) + put(3, more.get("id", ""))
    outputs = [put(6, put(1, more["output"]))] if "output" in more else []
    return b"".join(
        [head, *(put(5, each) for each in inputs), *outputs, *(put(7, each) for each in raw)]
    )
