"""Use a launcher inside a plain test function."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from katib.local.launcher import Exit, Launcher
from support.katib.experiments import PROC

T = TypeVar("T")
linux = pytest.mark.skipif(not PROC.is_dir(), reason="looks at /proc")


def use_launcher(use: Callable[[Launcher], Awaitable[T]], preload: Sequence[str] = ()) -> T:
    """Enter a launcher, use it, leave it."""

    async def go() -> T:
        async with Launcher(preload) as launcher:
            return await use(launcher)

    return asyncio.run(go())


def run_command(
    argv: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None
) -> tuple[list[str], Exit]:
    """Start a command, read all of its output and wait for its end."""

    async def go(launcher: Launcher) -> tuple[list[str], Exit]:
        child = await launcher.start(argv, env or {}, cwd)
        return [line async for line in child.lines()], await child.ended

    return use_launcher(go)
