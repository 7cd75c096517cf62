"""The output of a trial, as the log of its pod."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

LOOK = 0.2  # seconds between two looks for more
CHUNK = 1 << 16  # bytes


async def stream_log(
    path: Path, tail: int | None, *, follow: bool, ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the log's content.

    Args:
        path: the file; one that does not exist yet is empty.
        tail: how many of the last lines, None for all.
        follow: whether to wait for more until the trial has ended.
        ended: tells whether it has.
    """
    place = 0 if tail is None else _start_of_tail(path, tail)
    while True:
        last = not follow or ended()  # before the reading: nothing is written after the end
        while chunk := _read_chunk(path, place):
            place += len(chunk)
            yield chunk
        if last:
            return
        await asyncio.sleep(LOOK)


def _start_of_tail(path: Path, tail: int) -> int:
    """Return how many bytes come before the last lines."""
    if not path.exists():
        return 0
    lines = path.read_bytes().splitlines(keepends=True)
    return sum(map(len, lines[: max(0, len(lines) - tail)]))


def _read_chunk(path: Path, place: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(place)
        return file.read(CHUNK)
