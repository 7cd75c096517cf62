"""kfp, in the environment of its own."""

import subprocess

from support.cli import ROOT
from support.patience import patience

FOLDER = ROOT / ".peers" / "kfp"


def has_kfp() -> bool:
    """Whether `scripts/peers kfp` has installed it."""
    return (FOLDER / ".lock").exists()


def kfp(*words: object) -> str:
    """Run a module of `pipelines` in the environment of kfp; returns its last line."""
    done = subprocess.run(
        [str(FOLDER / "bin" / "python"), "-m", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patience(300),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (done.stdout.splitlines() or [""])[-1]
