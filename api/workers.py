"""Several processes on one listening socket: each loads and follows on its own, one more is started where one ends."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

logger = logging.getLogger("tunegate.api")
PAUSE = 1.0  # seconds before a worker that ended is replaced, so that one that cannot start does not eat the machine


def supervise(n: int, work: Callable[..., None], options: Any, listener: socket.socket, *, until_eof: bool) -> None:  # noqa: ANN401
    """Run `work(options, listener)` in n processes until SIGTERM or SIGINT, which each of them is sent.

    Args:
        n: how many.
        work: a module's function that serves until it is told to end.
        options: for it; can be pickled.
        listener: the bound socket.
        until_eof: also end when stdin closes.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _shared_metrics(), _ending(until_eof) as (ended, asked):
        workers = [_start(work, options, listener) for _ in range(n)]
        while not asked.is_set():
            wait([ended, *(worker.sentinel for worker in workers)])
            for i, worker in enumerate(workers):
                if not asked.is_set() and not worker.is_alive():
                    logger.error("worker %s ended with %s; starting another", worker.pid, worker.exitcode)
                    if not asked.wait(PAUSE):
                        workers[i] = _start(work, options, listener)
        _end(workers, ended)


def _start(work: Callable[..., None], *arguments: Any) -> SpawnProcess:  # noqa: ANN401 - the work's own
    process = multiprocessing.get_context("spawn").Process(target=_outlived_by_its_parent, args=(work, *arguments))
    process.start()
    return process


def _outlived_by_its_parent(work: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - the work's own
    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    work(*arguments)


def _end(workers: list[SpawnProcess], asked: int) -> None:
    """Ask as often as was asked; a second time ends a worker that drains."""
    while alive := [worker for worker in workers if worker.is_alive()]:
        if asked in wait([asked, *(worker.sentinel for worker in alive)]):
            os.read(asked, 1)
            for worker in alive:
                worker.terminate()


@contextmanager
def _ending(until_eof: bool) -> Iterator[tuple[int, threading.Event]]:  # noqa: FBT001 - one of two arguments
    """Give a descriptor to wait for, and the event, that say that it is time to end."""
    ended, say = os.pipe()
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        os.write(say, b".")

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    if until_eof:
        threading.Thread(target=_read_stdin, args=(ask,), daemon=True).start()
    try:
        yield ended, asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_stdin(then: Callable[[], None]) -> None:
    while os.read(sys.stdin.fileno(), 1 << 10):
        pass
    then()


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Let the workers add up their metrics in files."""
    with tempfile.TemporaryDirectory(prefix="tunegate-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
