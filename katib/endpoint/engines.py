"""Engines of runs, each a process of its own, as `tunegate tune --resume` starts one.

An engine ends in order when its stdin closes, so none outlives the endpoint, however that ends; the
next endpoint resumes what was running.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from katib.local.run_folder import is_running, read_run

LOG = "engine.log"  # in the run's folder: what the engine's process printed
LOOK = 0.1  # seconds between two looks at the lock of an engine that is ending
ENDING = 15.0  # seconds for an engine to end its trials in order


class Engines:
    """Starts, stops and watches engines.

    Args:
        command: gives the command that resumes the run in a folder.
    """

    def __init__(self, command: Callable[[Path], Sequence[str]]) -> None:
        self._command = command
        self._tasks: dict[Path, asyncio.Task[None]] = {}
        self._failures: dict[Path, str] = {}

    def start(self, folder: Path) -> None:
        """Run an engine in a run's folder until the run ends."""
        self._failures.pop(folder, None)
        task = asyncio.create_task(self._run(folder))
        self._tasks[folder] = task

    def owns(self, folder: Path) -> bool:
        """Whether an engine of this endpoint works in a folder, or is about to."""
        task = self._tasks.get(folder)
        return task is not None and not task.done()

    def failure(self, folder: Path) -> str:
        """Return why the engine of a folder could not continue; empty if it did."""
        return self._failures.get(folder, "")

    async def stop(self, folder: Path) -> None:
        """End a folder's engine in order; its run can be resumed."""
        task = self._tasks.pop(folder, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """End all engines in order."""
        await asyncio.gather(*map(self.stop, list(self._tasks)))

    async def _run(self, folder: Path) -> None:
        # The engine of an endpoint that was killed may still be ending; a lock sends no event.
        while is_running(folder):  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(LOOK)
        log = folder / LOG
        try:
            with log.open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *self._command(folder),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C is for the endpoint, which ends it in order
                )
        except OSError as error:
            self._failures[folder] = f"{error.filename}: {error.strerror}"
            return
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(_end_process(process))
            raise
        if code and not read_run(folder).ended:
            self._failures[folder] = _last_words(log) or f"the engine ended with exit code {code}"


def _environment() -> dict[str, str]:
    """Return the environment of an engine: `python` in a trial's script is this interpreter."""
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{path}"}


async def _end_process(process: asyncio.subprocess.Process) -> None:
    """Close the process's stdin, which ends it in order."""
    if process.stdin:
        process.stdin.close()
    try:
        async with asyncio.timeout(ENDING):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_words(log: Path) -> str:
    """Return the error that an engine ended with, and its hint."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith("error:")]
    return " ".join(lines[begins[-1] :] if begins else lines[-1:])
