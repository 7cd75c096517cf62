"""The server that a run needs: found if one serves this store already, started otherwise."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.workspace import Workspace

START_TIMEOUT = 60.0  # seconds
STOP_TIMEOUT = 15.0
REQUEST_TIMEOUT = 2.0
POLL = 0.05


@dataclass(slots=True)
class Service:
    """A running server; `process` is None if somebody else runs it."""

    url: str
    process: "subprocess.Popen[bytes] | None" = None

    def wait(self) -> None:
        """Wait until our own server ends, or Ctrl-C."""
        if self.process:
            self.process.wait()


@contextmanager
def running_service(workspace: Workspace) -> Iterator[Service]:
    """Have a server while the block runs; one that was started here ends with it.

    Raises:
        UsageError: when another program has the port, or the server does not start.
    """
    url = workspace.settings.address
    if _is_ours(workspace, url):
        say(f"serving already at {url}")
        yield Service(url)
        return
    say(f"starting the server at {url}")
    process = _start_server(workspace)
    try:
        _await_health(workspace, process, url)
        yield Service(url, process)
    finally:
        _stop_server(process)


def _is_ours(workspace: Workspace, url: str) -> bool:
    """Whether a server of this workspace answers at `url`; False if nothing answers."""
    from api.routes.probes import store_id  # noqa: PLC0415 - brings FastAPI

    about: object = None
    try:
        response = httpx.get(f"{url}/version", timeout=REQUEST_TIMEOUT)
        if response.status_code == httpx.codes.OK:
            about = response.json()
    except httpx.ConnectError:
        return False
    except (httpx.HTTPError, ValueError):
        pass
    user = "another program"
    if isinstance(about, dict) and about.get("service") == "tunegate":
        served = (about.get("store"), about.get("model"))
        if served == (store_id(workspace.store), workspace.model):
            return True
        user = f"a tunegate server of {about.get('model')} on another store"
    raise UsageError(f"{url} is in use by {user}", hint="choose another with --port, or stop it")


def _start_server(workspace: Workspace) -> "subprocess.Popen[bytes]":
    settings = workspace.settings
    flags = {
        "--model": workspace.model,
        "--state": settings.state,
        "--store": settings.bucket or settings.store_path,
        "--host": settings.host,
        "--port": settings.port,
    }
    # With -P: the current folder's own `api`, or any other module, must not stand for ours.
    command = [sys.executable, "-P", "-m", "tunegate", "serve", "--until-eof"]
    for flag, value in flags.items():
        command += [flag, str(value)]
    settings.state.mkdir(parents=True, exist_ok=True)
    with (settings.state / "server.log").open("ab") as log:
        # In a session of its own: Ctrl-C interrupts the run, which then stops the server in order.
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )


def _await_health(workspace: Workspace, process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            health = httpx.get(f"{url}/healthz", timeout=REQUEST_TIMEOUT)
            if health.status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(POLL)
    log = workspace.settings.state / "server.log"
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    raise UsageError(f"the server did not start: {tail[0]}", hint=f"see {log}")


def _stop_server(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin:
        process.stdin.close()
