"""How long does `tunegate gate` take on Boston, from command to verdict?

For a candidate that is new, for one that was judged before, and how much of it is imports.

The command is run as a user runs it, with a champion and a candidate of 200 trees each; the imports
are timed by a process that does nothing else, in turn with it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tunegate.promotion.loss_cache import LOSSES

IMPORTS = (
    "import tunegate.cli, tunegate.promotion.decision, tunegate.promotion.evaluation, "
    "trainer.dataset, trainer.recipe"
)


class Taken(NamedTuple):
    """Seconds on the clock, and of CPUs."""

    seconds: float
    cpu: float


def main() -> None:
    """Make two packages, promote one, time the gate on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package, features in (("champion", "1.0"), ("candidate", "0.4")):
            flags = [
                "--n-estimators=200",
                f"--max-features={features}",
                f"--output={folder / package}",
            ]
            _run("-m", "trainer", "--data=boston", *flags)
        state = f"--state={folder / 'state'}"
        _run("-m", "tunegate", "promote", f"--package={folder / 'champion'}", state)
        gate = ("-m", "tunegate", "gate", f"--package={folder / 'candidate'}", state)
        kept = set((folder / "state" / LOSSES).iterdir())
        found: dict[str, list[Taken]] = {"new candidate": [], "judged before": [], "imports": []}
        for _ in range(runs):
            for path in set((folder / "state" / LOSSES).iterdir()) - kept:
                path.unlink()
            found["new candidate"].append(_run(*gate))
            found["judged before"].append(_run(*gate))
            found["imports"].append(_run("-c", IMPORTS))
    print(f"tunegate gate on Boston, medians of {runs}; CPU seconds of all processes")
    for name, taken in found.items():
        seconds = median(each.seconds for each in taken)
        cpu = median(each.cpu for each in taken)
        print(f"{name}: {seconds:.2f} s, CPU {cpu:.2f} s")


def _run(*words: str) -> Taken:
    start = time.perf_counter()
    before = os.times()
    subprocess.run([sys.executable, *words], capture_output=True, check=False)
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return Taken(time.perf_counter() - start, cpu)


if __name__ == "__main__":
    main()
