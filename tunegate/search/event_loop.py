"""Run a coroutine to its end, also where an event loop runs already, as in a notebook."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

R = TypeVar("R")
LOOK = 0.2  # seconds between two looks, between which Python delivers no signal


def run_coroutine(make: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a coroutine to its end and return its result.

    An interrupt cancels it and waits until it has ended in order. A notebook turns Ctrl-C into
    KeyboardInterrupt, `asyncio.run` into a request to cancel the task that called us.

    Args:
        make: makes the coroutine, in the thread that runs it.

    Raises:
        KeyboardInterrupt, CancelledError: when the user interrupts.
        BaseException: what the coroutine raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(make())
    return _run_in_thread(make)


def _run_in_thread(make: Callable[[], Coroutine[Any, Any, R]]) -> R:
    outcome: Future[R] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[R]]] = Future()

    async def run() -> R:
        task = asyncio.ensure_future(make())
        started.set_result((asyncio.get_running_loop(), task))
        return await task

    def work() -> None:
        try:
            outcome.set_result(asyncio.run(run()))
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            outcome.set_exception(error)

    thread = threading.Thread(target=work, name="tunegate-search")
    thread.start()
    caller = asyncio.current_task()
    try:
        while thread.is_alive():
            thread.join(LOOK)
            if caller and caller.cancelling():
                raise asyncio.CancelledError  # noqa: TRY301 - ends as an interrupt does
    except (KeyboardInterrupt, asyncio.CancelledError):
        loop, task = started.result()
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    return outcome.result()
