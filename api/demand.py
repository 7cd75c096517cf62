"""Something that is made when it is first needed: what it imports then costs no start and no memory before."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Made by `make` in a thread, once for all who wait meanwhile; where that has failed, the next tries again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make
        self._made: T | None = None
        self._making: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return what was made, when it is; raises what `make` raises."""
        if self._made is not None:
            return self._made
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self.make))
            self._making.add_done_callback(self._end)
        return await asyncio.shield(self._making)  # who goes away while it is made must not stop it

    def _end(self, making: "asyncio.Task[T]") -> None:
        self._making = None
        if not making.cancelled() and making.exception() is None:
            self._made = making.result()
