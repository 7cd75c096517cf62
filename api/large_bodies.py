"""Large bodies take turns, so that a worker's memory is bounded whatever its clients send at once.

A body takes up to ten times its size while it is read and answered. So few large ones are in memory
at a time, of which one is worked on; the others wait before more of them is read. Small ones, and
probes, pass by.
"""

import asyncio
from asyncio import AbstractEventLoop, Lock, Semaphore, Task
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from starlette.types import Send

from api.problems import UNAVAILABLE, Problem

IN_THREAD = 1 << 13  # bytes of a body from which on it is read and answered in a thread
LARGE = 1 << 18  # bytes of a body from which on it takes turns
PIECE = 1 << 16  # bytes of an answer sent at once
AT_ONCE = 2  # large bodies in memory: while one is worked on, the next arrives
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Turns:
    places: Semaphore = field(default_factory=lambda: Semaphore(AT_ONCE))
    working: Lock = field(default_factory=Lock)
    holders: set[Task[Any]] = field(default_factory=set)

    def leave(self, task: Task[Any]) -> None:
        self.holders.discard(task)
        self.places.release()


_turns: WeakKeyDictionary[AbstractEventLoop, _Turns] = WeakKeyDictionary()


def _turns_here() -> _Turns:
    return _turns.setdefault(asyncio.get_running_loop(), _Turns())


async def take_place(task: Task[Any], seconds: float) -> None:
    """Wait for a place for a request's large body; the end of its task gives the place back.

    Raises:
        Problem: 503 when there is none in time.
    """
    turns = _turns_here()
    if task in turns.holders:
        return
    try:
        async with asyncio.timeout(seconds):
            await turns.places.acquire()
    except TimeoutError as error:
        detail = f"{AT_ONCE} large bodies are being answered; waited for {seconds:g} s"
        raise Problem(UNAVAILABLE, "Too busy", detail) from error
    turns.holders.add(task)
    task.add_done_callback(turns.leave)


async def run_inline_or_threaded(size: int, function: Callable[..., T], *arguments: Any) -> T:  # noqa: ANN401 - the function's own
    """Call a function here and now, or in a thread where the body is large (bytes).

    Of large bodies one is worked on at a time: the threads share one lock of Python's anyway.
    """
    if size < IN_THREAD:
        return function(*arguments)
    if size < LARGE:
        return await asyncio.to_thread(function, *arguments)
    async with _turns_here().working:
        return await asyncio.to_thread(function, *arguments)


async def send_payload(payload: bytes, send: Send, seconds: float) -> None:
    """Send by pieces, each once the one before is on its way: memory stays bounded.

    Args:
        payload: the answer's body.
        send: takes ASGI's messages.
        seconds: a piece may take; then the connection is closed, its answer cut off.
    """
    if len(payload) <= PIECE:
        await send({"type": "http.response.body", "body": payload})
        return
    with suppress(TimeoutError):
        for start in range(0, len(payload), PIECE):
            more = start + PIECE < len(payload)
            piece = payload[start : start + PIECE]
            async with asyncio.timeout(seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": more})
