"""Run the project's scripts, with stand-ins for the tools they call."""

import json
import os
import subprocess
from pathlib import Path

from support.cli import ROOT
from support.patience import patience

NO_CHAMPION = json.loads((ROOT / "deploy_details.json").read_text()) | {"prod_model": None}


def run(*words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience(240),
        check=False,
    )


def stand_in(folder: Path, name: str, text: str) -> str:
    """Put a program into a folder of its own; returns a PATH that finds it first."""
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(text)
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"
