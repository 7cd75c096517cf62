"""A real PostgreSQL for tests, from Debian's binaries."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Start a server in a folder, and give its address; skips where there are no binaries."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or not shutil.which("setpriv"):
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    as_user = _unprivileged(folder)
    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder}"
    _run([*as_user, programs[-1] / "initdb", "-D", data, "-U", "tester", "--auth=trust"], folder)
    control = [*as_user, programs[-1] / "pg_ctl", "-D", data, "-l", folder / "log", "-w"]
    _run([*control, "-o", options, "start"], folder)
    try:
        yield f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"], folder)


def _unprivileged(folder: Path) -> list[str]:
    """Return the command that runs another as nobody where we are root, whom PostgreSQL refuses."""
    if os.getuid() != 0:
        return []
    for above in (folder, *folder.parents):  # pytest's folders are closed to others
        if above == Path("/tmp"):  # noqa: S108 - where pytest makes them
            break
        above.chmod(above.stat().st_mode | 0o055)
    shutil.chown(folder, "nobody", "nogroup")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def _run(command: list[str | Path], folder: Path) -> None:
    with (folder / "commands.log").open("a") as log:
        subprocess.run(command, cwd=folder, stdout=log, stderr=log, check=True, timeout=120)
