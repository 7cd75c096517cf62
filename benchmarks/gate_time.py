"""How long does `tunegate gate` take on Boston, from command to verdict?

And how much of it is imports?

The command is run as a user runs it, with a champion and a candidate of 200 trees each; the imports
are timed by a process that does nothing else, in turn with it.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

IMPORTS = (
    "import tunegate.cli, tunegate.promotion.decision, tunegate.promotion.evaluation, "
    "trainer.dataset, trainer.recipe"
)


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
        pairs = [(_run(*gate), _run("-c", IMPORTS)) for _ in range(runs)]
    total = median(pair[0] for pair in pairs)
    imports = median(pair[1] for pair in pairs)
    print(
        f"gate: {total:.2f} s from command to verdict (median of {runs}), "
        f"of which imports {imports:.2f} s"
    )
    print(f"imports / gate: {imports / total:.2f}")


def _run(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=False)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
