"""Start a server as its users do, find all processes it became, count what they cost, end them."""

import os
import re
import secrets
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
# In the environment of all that was started: daemons lose their parent, not this.
MARK = "TUNEGATE_BENCHMARK"
STOP_TIMEOUT = 10.0
POLL = 0.02  # seconds between two looks at a condition


def free_ports(n: int) -> list[int]:
    """Return ports of the loopback that nobody has."""
    probes = [socket.socket() for _ in range(n)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@dataclass
class Tree:
    """A process that was started, and all that it started."""

    process: "subprocess.Popen[bytes]"
    mark: str
    log: Path
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def start(
        cls, command: list[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> "Tree":
        """Run a command in `folder` with its output in `log`."""
        mark = secrets.token_hex(8)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment, MARK: mark},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the benchmark, which then ends the servers in order.
                start_new_session=True,
            )
        return cls(process, mark, log)

    def pids(self) -> set[int]:
        """Return the ids of all processes of the tree that live."""
        children = defaultdict(set)
        found = set()
        for pid, parent in _parents().items():
            children[parent].add(pid)
            if _marked(pid, self.mark):
                found.add(pid)
        todo = [self.process.pid, *found]
        while todo:
            for child in children[todo.pop()] - found:
                found.add(child)
                todo.append(child)
        return found | ({self.process.pid} if self.process.poll() is None else set())

    def cpu(self) -> float:
        """Return the CPU seconds, user and system, that the living processes have used."""
        return sum(self.cpu_by_pid().values())

    def cpu_by_pid(self) -> dict[int, float]:
        """Return the CPU seconds of each living process."""
        return {pid: _cpu(pid) for pid in self.pids()}

    def rss(self) -> float:
        """Return the resident memory, MiB; pages that two processes share count twice."""
        return sum(_kilobytes(pid, "Rss") for pid in self.pids()) / 1024

    def pss(self) -> float:
        """Return the proportional memory, MiB, as if nobody else mapped the same files.

        The kernel's own figure would shrink with each neighbour that has the same libraries open: a
        file's pages count as often as the process that has most of them, everything else
        proportionally.
        """
        files: dict[str, float] = {}
        anonymous = 0.0
        for pid in self.pids():
            mapped: dict[str, float] = defaultdict(float)
            for path, rss, pss in _mappings(pid):
                if path.startswith("/"):
                    mapped[path] += rss
                else:
                    anonymous += pss
            for path, size in mapped.items():
                files[path] = max(files.get(path, 0.0), size)
        return (anonymous + sum(files.values())) / 1024

    def stop(self) -> None:
        """End all processes of the tree, by id: politely first."""
        pids = self.pids()
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT)
        for pid in pids | self.pids():
            if _marked(pid, self.mark) or pid == self.process.pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def reason(self) -> str:
        """Return the last line of the log that says anything."""
        lines = [
            line.strip()
            for line in self.log.read_text(errors="replace").splitlines()
            if line.strip()
        ]
        return re.sub(r"\x1b\[[0-9;]*m", "", lines[-1])[:200] if lines else "no output"


def machine_cpu() -> float:
    """Return the CPU seconds that all processes of the machine have used."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) * TICK


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found[int(entry.name)] = int(_stat(int(entry.name))[1])
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields after the name, which may hold anything: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _marked(pid: int, mark: str) -> bool:
    with suppress(OSError):
        return f"{MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    return False


def _cpu(pid: int) -> float:
    with suppress(OSError):
        fields = _stat(pid)
        return (int(fields[11]) + int(fields[12])) * TICK
    return 0.0


def _kilobytes(pid: int, name: str) -> float:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return sum(float(kb) for kb in re.findall(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE))
    return 0.0


def _mappings(pid: int) -> list[tuple[str, float, float]]:
    """Return path, Rss, Pss (kB) of each mapping; changed pages of a file count as no file's."""
    found = []
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps").read_text(errors="replace")
        for block in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE)[1:]:
            head, _, rest = block.partition("\n")
            path = head.split(maxsplit=5)[5] if len(head.split(maxsplit=5)) > 5 else ""
            sizes = {
                name: float(kb)
                for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", rest, re.MULTILINE)
            }
            changed = min(sizes.get("Anonymous", 0.0), sizes["Rss"])
            found.append((path, sizes["Rss"] - changed, 0.0))
            found.append(("", changed, sizes["Pss"] if not path.startswith("/") else changed))
    return found
