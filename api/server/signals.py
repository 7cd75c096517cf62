"""Signals that ask a process to end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def handled(act: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let each signal of `ENDING` call this while the block runs in the main thread; `nohup` stays in force."""
    numbers = [
        each for each in ENDING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, act) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
