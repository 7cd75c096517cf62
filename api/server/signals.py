"""What asks a process to end: signals, and the end of stdin."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def ending_signals_handled_by(act: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call `act` for each signal of `ENDING` while the block runs, in the main thread.

    SIGHUP stays ignored where `nohup` has it ignored.
    """
    numbers = [
        each for each in ENDING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN
    ]
    before = {number: signal.signal(number, act) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def call_at_eof(act: Callable[[], None]) -> None:
    """Call `act` once stdin has closed, in a thread of its own."""

    def read_stdin() -> None:
        while os.read(sys.stdin.fileno(), 1 << 10):
            pass
        act()

    threading.Thread(target=read_stdin, name="until-eof", daemon=True).start()
