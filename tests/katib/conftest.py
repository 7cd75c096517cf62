import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from support.katib.experiments import PROC, find_processes, unique_seconds


@pytest.fixture
def seconds() -> Iterator[str]:
    """How long a hanging process of this test sleeps.

    No other process does so long, and none is left behind.
    """
    mine = unique_seconds()
    yield mine
    for pid in find_processes(mine) if PROC.is_dir() else ():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
