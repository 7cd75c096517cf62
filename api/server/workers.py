"""Several processes on one listening socket: each loads and follows on its own, one more is started where one ends."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

from prometheus_client.multiprocess import mark_process_dead
from uvicorn.config import STARTUP_FAILURE

from api.server.signals import handled

logger = logging.getLogger("tunegate.api")
PAUSE = 1.0  # seconds before a worker that ended is replaced, so that one that cannot start does not eat the machine
SOON = 10.0  # seconds; a worker that ends sooner has hardly started
STARTS = 3  # in vain, one after the other, until it is clear that a worker cannot start


def supervise(
    n: int,
    work: Callable[..., None],
    options: Any,  # noqa: ANN401 - the work's own
    listener: socket.socket,
    *,
    until_eof: bool,
) -> None:
    """Run `work(options, listener)` in n processes until SIGTERM, SIGINT or SIGHUP, of which each of them is told.

    Args:
        n: how many.
        work: a module's function that serves until it is told to end.
        options: for it; can be pickled.
        listener: the bound socket.
        until_eof: also end when stdin closes.

    Raises:
        SystemExit: 3, as uvicorn does, when a worker cannot start.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _shared_metrics(), _ending(until_eof) as asked:
        workers = [_Worker(partial(_start, work, options, listener)) for _ in range(n)]
        all_start = _keep(workers, asked)
        if not all_start:
            _tell(workers, signal.SIGTERM)
        _end(workers, asked)
    if not all_start:
        sys.exit(STARTUP_FAILURE)


class _Worker:
    """A process, and those after it that take its place."""

    def __init__(self, start: Callable[[], SpawnProcess]) -> None:
        self.start = start
        self.in_vain = 0
        self.replace()

    def replace(self) -> None:
        self.since = time.monotonic()
        self.process = self.start()

    def ended(self) -> None:
        self.process.join()
        soon = self.process.exitcode == STARTUP_FAILURE or time.monotonic() - self.since < SOON
        self.in_vain = self.in_vain + 1 if soon else 0
        logger.error("worker %s ended with %s", self.process.pid, self.process.exitcode)
        mark_process_dead(self.process.pid)  # type: ignore[no-untyped-call] # it has no types


def _start(work: Callable[..., None], *arguments: Any) -> SpawnProcess:  # noqa: ANN401 - the work's own
    process = multiprocessing.get_context("spawn").Process(
        target=_outlived_by_its_parent, args=(work, *arguments)
    )
    resource_tracker.ensure_running()  # else it is started now, which lets SIGINT through again
    signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT}
    )  # inherited: Python would print where it was interrupted
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return process


def _outlived_by_its_parent(work: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - the work's own
    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    os.setpgid(
        0, 0
    )  # what a terminal or systemd sends to all comes once, by the parent: a second one ends draining
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=watch, daemon=True).start()
    work(*arguments)


def _keep(workers: Sequence[_Worker], asked: int) -> bool:
    """Replace workers that end until it is time to end; return False as soon as one cannot start."""
    while asked not in (ready := wait([asked, *(worker.process.sentinel for worker in workers)])):
        for worker in workers:
            if worker.process.sentinel in ready:
                worker.ended()
                if worker.in_vain >= STARTS:
                    logger.error(
                        "a worker ended %d times just after its start, see above; giving up", STARTS
                    )
                    return False
                if wait([asked], PAUSE):
                    return True
                logger.info("starting another worker")
                worker.replace()
    return True


def _end(workers: Sequence[_Worker], asked: int) -> None:
    """Tell as often as was asked; a second time ends a worker that drains."""
    while alive := [worker for worker in workers if worker.process.is_alive()]:
        if asked in wait([asked, *(worker.process.sentinel for worker in alive)]):
            _tell(alive, *os.read(asked, 1))


def _tell(workers: Sequence[_Worker], number: int) -> None:
    for worker in workers:
        if worker.process.is_alive() and worker.process.pid:
            os.kill(worker.process.pid, number)


@contextmanager
def _ending(until_eof: bool) -> Iterator[int]:  # noqa: FBT001 - one of two arguments
    """Give a descriptor to wait for: it has the number of each signal, as a byte, that says that it is time to end."""
    asked, say = os.pipe()

    def ask(number: int, _: FrameType | None = None) -> None:
        os.write(say, bytes([number]))

    if until_eof:
        threading.Thread(
            target=_read_stdin, args=(partial(ask, signal.SIGINT),), daemon=True
        ).start()
    with handled(ask):
        yield asked


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
