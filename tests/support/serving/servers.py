"""Real servers to talk to, and small fake ones that misbehave."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from api import create_app
from api.middleware.fast_path import FastPath
from api.server.run import bind
from registry import ModelStore, Pointer
from registry.package import ModelPackage
from support.patience import patience

# What tests of protocols run with both values of, see tests/api/routes/conftest.py.
DEFAULTS: dict[str, Any] = {"fast_path": True}
TESTS = Path(__file__).parents[2]
PATIENCE = patience(60)


def await_true(
    condition: Callable[[], Any], what: str, *, timeout: float = PATIENCE, pause: float = 0.01
) -> Any:  # noqa: ANN401 - what the condition gave
    """Look again and again until the condition holds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(pause)  # between two looks at the condition
    raise AssertionError(f"waited in vain: {what}")


def put(store: ModelStore, package: ModelPackage, *, number: int = 1) -> None:
    """Let servers follow this package, without a ledger."""
    store.add(package)
    store.point(Pointer(model=package.manifest.name, number=number, sha256=package.digest))


def free_port() -> int:
    """Find a port that nobody has just now."""
    with bind("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Running:
    """A server's process, its address, and a client for it."""

    process: "subprocess.Popen[bytes]"
    url: str
    client: httpx.Client
    log: Path

    def version(self) -> dict[str, Any]:
        """Return what `/version` says."""
        answer: dict[str, Any] = self.client.get("/version").raise_for_status().json()
        return answer

    def await_version(self, **expected: Any) -> None:  # noqa: ANN401 - values of several types
        """Wait until `/version` says all this."""
        await_true(lambda: expected.items() <= self.version().items(), f"/version with {expected}")

    def log_text(self) -> str:
        """Return what the server has written so far."""
        return self.log.read_text()


@contextmanager
def running(store: ModelStore, model: str, **options: Any) -> Iterator[Running]:  # noqa: ANN401 - of several types
    """Run a server with `api.server.run.Options`.

    It answers when this returns, and is gone when the block ends.
    """
    store.root.mkdir(parents=True, exist_ok=True)
    log = store.root.parent / f"{model}.log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "support.serving.server_process",
                str(store.root),
                model,
                json.dumps(DEFAULTS | options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=TESTS,
            start_new_session=True,  # so that its whole group can be signalled, as a terminal does
        ) as process,
    ):
        assert process.stdout
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            try:
                await_true(lambda: _answers(client), f"{url} to answer")
                yield Running(process, url, client, log)
            finally:
                process.terminate()
                process.wait(PATIENCE)


@contextmanager
def in_process(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> Iterator[httpx.Client]:
    """Serve an application from a thread of this process, by real HTTP; yield a client."""
    listener = bind(host, port)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, interface="asgi3"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        await_true(lambda: server.started or not thread.is_alive(), "the server to start")
        url = f"http://{host}:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def serving(store: ModelStore, package: ModelPackage) -> Iterator[httpx.Client]:
    """Put a package into the store and serve it from a thread of this process."""
    put(store, package)
    app = create_app(store, package.manifest.name)
    with in_process(FastPath(app) if DEFAULTS["fast_path"] else app) as client:
        yield client


@contextmanager
def listening(store: ModelStore, package: ModelPackage, host: str, port: int) -> Iterator[None]:
    """Serve a package at an address of the loopback."""
    put(store, package)
    with in_process(create_app(store, package.manifest.name), host, port):
        yield


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").is_success
    except httpx.TransportError:
        return False


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def fake(answer: Callable[[str, bytes], Answer]) -> Iterator[str]:
    """Run a server that answers (path, body) as it is told; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = answer(self.path, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def honest(package: ModelPackage) -> Callable[[str, bytes], Answer]:
    """Answer as a good server of this package would, for one numeric column and regression."""
    headers = {"X-Model-Version": package.digest, "Content-Type": "application/json"}
    name = package.manifest.columns[0].name

    def answer(path: str, body: bytes) -> Answer:
        if path != "/predict":
            return 200, headers, b"{}"
        row = json.loads(body)
        if name not in row:
            return 422, headers, b"{}"
        predicted = float(package.predict({name: [row[name]]})[0, 0])
        return 200, headers, json.dumps({package.manifest.prediction: predicted}).encode()

    return answer
