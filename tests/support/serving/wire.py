"""Packs and reads messages of protobuf by hand, from field numbers alone, and V2's requests."""

from collections.abc import Sequence
from typing import Any

VARINT = 0
BYTES = 2


def pack_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def pack_field(number: int, value: bytes | str) -> bytes:
    """Pack a field of bytes: a text, a message, or packed numbers."""
    content = value.encode() if isinstance(value, str) else value
    return pack_varint(number << 3 | BYTES) + pack_varint(len(content)) + content


def read_fields(content: bytes) -> dict[int, list[Any]]:
    """Read a message's fields by number, without its description."""
    found: dict[int, list[Any]] = {}
    at = 0

    def read_varint() -> int:
        nonlocal at
        value = 0
        shift = 0
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


def pack_input(name: str, datatype: str, shape: Sequence[int], contents: bytes = b"") -> bytes:
    """Pack an input; `contents` is a packed InferTensorContents."""
    packed = (
        pack_field(1, name)
        + pack_field(2, datatype)
        + pack_field(3, b"".join(map(pack_varint, shape)))
    )
    return packed + (pack_field(5, contents) if contents else b"")


def pack_request(
    model: str, inputs: Sequence[bytes], raw: Sequence[bytes] = (), **more: str
) -> bytes:
    head = (
        pack_field(1, model)
        + pack_field(2, more.get("version", ""))
        + pack_field(3, more.get("id", ""))
    )
    outputs = [pack_field(6, pack_field(1, more["output"]))] if "output" in more else []
    return b"".join(
        [
            head,
            *(pack_field(5, each) for each in inputs),
            *outputs,
            *(pack_field(7, each) for each in raw),
        ]
    )
