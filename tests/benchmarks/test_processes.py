"""What a benchmark starts is found, counted and ended, also where it has left its parent."""

import sys
from pathlib import Path

from support.serving.servers import await_true

from benchmarks.serving.processes import Tree

# A child in a session of its own whose parent is gone, one at the parent's side, and work for the
# CPU.
PROGRAM = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
sum(i * i for i in range(3_000_000))
print("worked", flush=True)
time.sleep(600)
"""


def test_a_tree_has_all_its_processes_and_none_after_it_was_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tree = Tree.start([sys.executable, "-c", PROGRAM], {}, tmp_path, log)
    try:
        await_true(lambda: log.read_text() == "worked\n", "the work is done")
        pids = tree.pids()
        assert len(pids) == 3
        assert tree.process.pid in pids
        assert tree.cpu() > 0
        assert 0 < tree.pss() <= tree.rss()
    finally:
        tree.stop()
    await_true(lambda: not any(_runs(pid) for pid in pids), "all processes have ended")
    assert tree.pids() == set()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
