import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from support.katib.experiments import PROC, processes, unique


@pytest.fixture
def seconds() -> Iterator[str]:
    """How long a hanging process of this test sleeps; no other process does so long, and none is left behind."""
    mine = unique()
    yield mine
    for pid in processes(mine) if PROC.is_dir() else ():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
