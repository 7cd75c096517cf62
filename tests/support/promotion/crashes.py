"""Kill a writer at every point where a crash could matter: SIGKILL, one child process a point.

`kill_at_every_point` runs this module as a program. It forks a child for the first point, the
second, and so on, each in a folder of its own, until one finishes. A point is a system call on
files or an SQL statement.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from registry import ModelStore, Pointer
from registry.atomic_files import publish_folder, write_atomic
from registry.sqlite import SqliteLedger
from support.patience import patience
from support.registry.ledgers import outcome, promotion

# Python warns of a fork while numpy's threads run.
PYTHON = (sys.executable, "-W", "ignore::DeprecationWarning", "-m")
Action = Callable[[Path], None]


def environment() -> dict[str, str]:
    """Return the environment in which a program finds what the tests import."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def kill_after_lines(lines: int, module: str, *arguments: str) -> list[str]:
    """Run a module, kill it once it has printed so many lines, and return all it printed."""
    with subprocess.Popen(
        [*PYTHON, module, *arguments], env=environment(), stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        printed = [program.stdout.readline() for _ in range(lines)]
        program.kill()
        printed += program.stdout.readlines()
    return [line.strip() for line in printed if line.endswith("\n")]


def kill_at_every_point(scenario: str, folder: Path) -> list[Path]:
    """Return the folders that the killed children left, in order; the last child finished."""
    command = [*PYTHON, "support.promotion.crashes", scenario, str(folder)]
    subprocess.run(command, env=environment(), check=True, timeout=patience(60))
    return sorted(folder.iterdir(), key=lambda path: int(path.name))


def _fill(content: bytes) -> Action:
    def fill(folder: Path) -> None:
        (folder / "one").write_bytes(content)
        (folder / "two").write_bytes(content)

    return fill


def _ledger(place: Path) -> SqliteLedger:
    return SqliteLedger(place / "ledger.db")


def _point(place: Path, number: int) -> None:
    ModelStore(place).point(Pointer(model="houses", number=number, sha256=f"{number:064x}"))


SCENARIOS: dict[str, tuple[Action, Action]] = {
    "write_atomic": (
        lambda place: write_atomic(place / "file", b"old"),
        lambda place: write_atomic(place / "file", b"new"),
    ),
    "publish_folder": (
        lambda place: publish_folder(place / "folder", _fill(b"old")),
        lambda place: publish_folder(place / "folder", _fill(b"new")),
    ),
    "point": (lambda place: _point(place, 1), lambda place: _point(place, 2)),
    "unpoint": (lambda place: _point(place, 1), lambda place: ModelStore(place).unpoint("houses")),
    "create": (lambda _: None, lambda place: _ledger(place).create(promotion())),
    "close": (
        lambda place: _ledger(place).create(promotion()),
        lambda place: _ledger(place).close("houses", 1, outcome()),
    ),
}


def main(scenario: str, folder: str) -> None:
    before, act = SCENARIOS[scenario]
    for point in count(1):
        place = Path(folder) / str(point)
        place.mkdir()
        before(place)
        child = os.fork()
        if child == 0:
            _kill_self_at(point)
            act(place)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFEXITED(status):
            sys.exit(os.WEXITSTATUS(status))


def _kill_self_at(point: int) -> None:
    points = count(1)

    def pass_point() -> None:
        if next(points) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    watch_points(pass_point)


def watch_points(pass_point: Callable[[], None], *, statements: bool = True) -> None:
    """Call `pass_point` at every point from now on; where it raises, the call fails.

    Args:
        pass_point: what to call before a system call on files, an fsync and an SQL statement.
        statements: whether SQL statements are points.
    """
    fsync = os.fsync
    connect = sqlite3.connect

    def hook(event: str, _: tuple[Any, ...]) -> None:
        if event == "open" or event.startswith(("os.", "tempfile.", "shutil.")):
            pass_point()

    def watched_fsync(descriptor: int) -> None:
        pass_point()
        fsync(descriptor)

    def watched_connect(*args: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401 - sqlite3's own
        connection = connect(*args, **options)
        connection.set_trace_callback(lambda _: pass_point())
        return connection

    os.fsync = watched_fsync
    if statements:
        sqlite3.connect = watched_connect
    sys.addaudithook(hook)


if __name__ == "__main__":
    main(*sys.argv[1:])
