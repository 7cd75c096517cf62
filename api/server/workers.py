"""Several worker processes on one listening socket; a worker that ends is replaced.

Each worker loads the models and follows their pointers on its own.
"""

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

from api.server.signals import call_at_eof, ending_signals_handled_by

logger = logging.getLogger("tunegate.api")
# Seconds before a worker that ended is replaced: workers that cannot start must not take all CPU.
PAUSE = 1.0
SOON = 10.0  # seconds; a worker that ends sooner counts as a failed start
MAX_FAILED_STARTS = 3  # one after the other, before giving up


def supervise(
    n: int,
    work: Callable[..., None],
    options: Any,  # noqa: ANN401 - the work's own
    listener: socket.socket,
    *,
    until_eof: bool,
) -> None:
    """Run `work(options, listener)` in n processes until SIGTERM, SIGINT or SIGHUP.

    Each worker gets the same signal.

    Args:
        n: the number of processes.
        work: a module's function that serves until a signal ends it.
        options: its first argument; it can be pickled.
        listener: the bound socket.
        until_eof: also end when stdin closes.

    Raises:
        SystemExit: 3, as uvicorn does, when a worker cannot start and no other one works.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with _shared_metrics(), _end_requests(until_eof=until_eof) as requests:
        workers = [_Worker(partial(_start_worker, work, options, listener)) for _ in range(n)]
        all_start = _replace_ended(workers, requests)
        if not all_start:
            _send_signal(workers, signal.SIGTERM)
        _wait_for_end(workers, requests)
    if not all_start:
        sys.exit(STARTUP_FAILURE)


class _Worker:
    """A process and its replacements."""

    def __init__(self, start: Callable[[], SpawnProcess]) -> None:
        self.start = start
        self.failed_starts = 0
        self.replace()

    @property
    def works(self) -> bool:
        """Whether it runs, and for so long that its start has not failed."""
        return self.process.is_alive() and time.monotonic() - self.since >= SOON

    def replace(self) -> None:
        self.since = time.monotonic()
        self.process = self.start()

    def note_end(self) -> None:
        self.process.join()
        if self.process.exitcode == STARTUP_FAILURE or time.monotonic() - self.since < SOON:
            self.failed_starts += 1
        else:
            self.failed_starts = 0
        logger.error("worker %s ended with %s", self.process.pid, self.process.exitcode)
        mark_process_dead(self.process.pid)  # type: ignore[no-untyped-call] # it has no types


def _start_worker(
    work: Callable[..., None],
    *arguments: Any,  # noqa: ANN401 - the work's own
) -> SpawnProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=_work_while_parent_lives, args=(work, *arguments)
    )
    # Or the current folder's own `logging.py`, or any other module, would stand for Python's.
    os.environ["PYTHONSAFEPATH"] = "1"
    # `start` would start the tracker otherwise, which unblocks SIGINT again.
    resource_tracker.ensure_running()
    # The worker inherits the mask: interrupted while it starts, Python would print a traceback.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return process


def _work_while_parent_lives(
    work: Callable[..., None],
    *arguments: Any,  # noqa: ANN401 - the work's own
) -> None:
    def watch_parent() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    # A terminal and systemd signal a whole group. In a group of its own the worker gets the signal
    # once, from its parent; a second one would end draining.
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=watch_parent, daemon=True).start()
    work(*arguments)


def _replace_ended(workers: Sequence[_Worker], requests: int) -> bool:
    """Replace workers that end until the end is requested; return False if one cannot start."""
    while True:
        ready = wait([requests, *(worker.process.sentinel for worker in workers)])
        if requests in ready:
            return True
        for worker in workers:
            if worker.process.sentinel not in ready:
                continue
            worker.note_end()
            # What ends one of several, such as a lack of memory, may spare the others.
            others_work = any(other.works for other in workers)
            if worker.failed_starts >= MAX_FAILED_STARTS and not others_work:
                logger.error(
                    "a worker ended %d times just after its start, see above; giving up",
                    MAX_FAILED_STARTS,
                )
                return False
            if wait([requests], PAUSE):
                return True
            logger.info("starting another worker")
            worker.replace()


def _wait_for_end(workers: Sequence[_Worker], requests: int) -> None:
    """Wait for all workers to end; pass signals on, because a second one ends draining."""
    while alive := [worker for worker in workers if worker.process.is_alive()]:
        if requests in wait([requests, *(worker.process.sentinel for worker in alive)]):
            _send_signal(alive, *os.read(requests, 1))


def _send_signal(workers: Sequence[_Worker], number: int) -> None:
    for worker in workers:
        if worker.process.is_alive() and worker.process.pid:
            os.kill(worker.process.pid, number)


@contextmanager
def _end_requests(*, until_eof: bool) -> Iterator[int]:
    """Yield a descriptor from which each request to end can be read: a signal's number, a byte."""
    requests, sender = os.pipe()

    def request_end(number: int, _: FrameType | None = None) -> None:
        os.write(sender, bytes([number]))

    if until_eof:
        call_at_eof(partial(request_end, signal.SIGINT))
    with ending_signals_handled_by(request_end):
        yield requests


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Give the workers a folder of files in which their metrics are added up."""
    with tempfile.TemporaryDirectory(prefix="tunegate-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
        del os.environ["PROMETHEUS_MULTIPROC_DIR"]
