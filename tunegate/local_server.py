"""The server beside a run: found where it serves this store already, started where nothing does."""

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

START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0
POLL = 0.05


@dataclass(slots=True)
class Service:
    """A running server; `process` is None where somebody else runs it."""

    url: str
    process: "subprocess.Popen[bytes] | None" = None

    def wait(self) -> None:
        """Wait until our own server ends, or Ctrl-C."""
        if self.process:
            self.process.wait()


@contextmanager
def service(workspace: Workspace) -> Iterator[Service]:
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
    process = _start(workspace)
    try:
        _await_health(workspace, process, url)
        yield Service(url, process)
    finally:
        _stop(process)


def _is_ours(workspace: Workspace, url: str) -> bool:
    from api.routes.probes import store_id  # noqa: PLC0415 - brings FastAPI

    try:
        answer = httpx.get(f"{url}/version", timeout=2.0)
        about = answer.json() if answer.status_code == httpx.codes.OK else {}
    except httpx.ConnectError:
        return False
    except (httpx.HTTPError, ValueError):
        about = {}
    ours = isinstance(about, dict) and about.get("service") == "tunegate"
    if (
        ours
        and about.get("store") == store_id(workspace.store)
        and about.get("model") == workspace.model
    ):
        return True
    if ours:
        who = f"a tunegate server of {about.get('model')} on another store"
    else:
        who = "another program"
    raise UsageError(f"{url} is in use by {who}", hint="choose another with --port, or stop it")


def _start(workspace: Workspace) -> "subprocess.Popen[bytes]":
    settings = workspace.settings
    command = [sys.executable, "-m", "tunegate", "serve", "--until-eof"]
    flags = {
        "--data": settings.data,
        "--state": settings.state,
        "--store": settings.store_path,
        "--host": settings.host,
        "--port": settings.port,
    }
    words = [str(word) for pair in flags.items() for word in pair]
    settings.state.mkdir(parents=True, exist_ok=True)
    with (settings.state / "server.log").open("ab") as log:
        # A session of its own: Ctrl-C is for the run, which then ends the server in order.
        return subprocess.Popen(
            [*command, *words],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _await_health(workspace: Workspace, process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/healthz", timeout=2.0).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(POLL)  # between two looks at the condition
    log = workspace.settings.state / "server.log"
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
    raise UsageError(f"the server did not start: {tail[0]}", hint=f"see {log}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin:
        process.stdin.close()
