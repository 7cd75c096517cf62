"""Runs a command and tells what it took, all of its children included."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MIB = 1024  # `ru_maxrss` is in KiB
# Threads that wait for others must not spin: other people use the cores, too.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: from start to end.
        cpu: seconds on all cores, of the process and those of its children that it waited for.
        memory: peak resident memory in MiB of the largest of them.
        code: its exit code.
        output: what it wrote on stdout.
    """

    seconds: float
    cpu: float
    memory: float
    code: int
    output: str


def run_measured(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    variables: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command in a folder; its stderr goes to `log`."""
    began = time.monotonic()
    output = log.with_suffix(".out")
    with log.open("wb") as errors, output.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, **PATIENT, **(variables or {})},
            stdout=out,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(
        time.monotonic() - began,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / MIB,
        process.returncode,
        output.read_text(encoding="utf-8", errors="replace"),
    )
