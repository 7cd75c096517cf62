"""How long the tests wait: every time-out of theirs grows with the machine's load.

`TUNEGATE_TEST_PATIENCE` sets the factor, for example 5 on a machine that is busy with other things.
By default it is the load average per core, and at least 1. A long time-out costs nothing unless
something hangs.
"""

import os


def patience(seconds: float) -> float:
    """Return the time-out to use where an idle machine would need at most this many seconds."""
    return seconds * _load_factor()


def _load_factor() -> float:
    chosen = os.environ.get("TUNEGATE_TEST_PATIENCE")
    if chosen:
        return float(chosen)
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
