"""The CPU time and memory of a server's processes while a load lasts, from Linux' /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds
KIB_A_MIB = 1024
# Fields of /proc/<pid>/stat after the command's closing bracket.
USER_TIME = 11
SYSTEM_TIME = 12


@dataclass(frozen=True, slots=True)
class Spent:
    """What a server took.

    Attributes:
        cpu_seconds: of all its processes, in user and system mode.
        cores: CPU seconds a second.
        memory_mib: the highest resident memory of each process so far, added up.
    """

    cpu_seconds: float
    cores: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class ServerCost:
    """A measurement under way."""

    pid: int
    cpu: float
    start: float

    @classmethod
    def begin(cls, pid: int) -> "ServerCost":
        """Begin to measure.

        Raises:
            OSError: when there is no such process, or no /proc.
        """
        return cls(pid, _cpu_seconds(pid), time.perf_counter())

    def end(self) -> Spent:
        """Return what was taken since the beginning."""
        used = _cpu_seconds(self.pid) - self.cpu
        memory = sum(map(_peak_memory_mib, _family(self.pid)))
        return Spent(used, used / (time.perf_counter() - self.start), memory)


def _family(pid: int) -> list[int]:
    """Return a process and all that it started, as far as they live."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _cpu_seconds(pid: int) -> float:
    total = 0.0
    for each in _family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) * TICK
    return total


def _peak_memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / KIB_A_MIB
    return 0.0
