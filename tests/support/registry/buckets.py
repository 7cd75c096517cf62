"""Real object stores for tests, started as processes of their own on loopback."""

import os
import re
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import httpx

from support.cli import ROOT, free_port
from support.katib.experiments import eventually

BINARIES = ROOT / ".peers" / "bin"
SECRET = "of-a-test"  # noqa: S105 - of a server on loopback
S3_SETTINGS = {
    "AWS_ACCESS_KEY_ID": SECRET,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@dataclass(frozen=True)
class Server:
    """An object store to start.

    Attributes:
        program: which `scripts/object-stores` builds.
        run: starts it with a bucket `models` and what it keeps in a folder; gives its address.
        settings: the environment of a client, by the address.
        url: of the bucket.
    """

    program: str
    run: Callable[[Path], AbstractContextManager[str]]
    settings: Callable[[str], dict[str, str]]
    url: str

    def is_built(self) -> bool:
        """Whether `scripts/object-stores` has built it."""
        return (BINARIES / self.program).exists()


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run versitygw on a folder with one bucket, `models`; yields its address."""
    (folder / "data" / "models").mkdir(parents=True)
    port = free_port()
    environment = {"ROOT_ACCESS_KEY": SECRET, "ROOT_SECRET_KEY": SECRET, **os.environ}
    sidecar = folder / "attributes"  # tmpfs has no extended ones
    sidecar.mkdir()
    options = ["--port", f"127.0.0.1:{port}", "posix", "--sidecar", str(sidecar)]
    command = [str(BINARIES / "versitygw"), *options, str(folder / "data")]
    with _process(command, environment, f"http://127.0.0.1:{port}/"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def google_server(_: Path) -> Iterator[str]:
    """Run fake-gcs-server in memory with one bucket, `models`; yields its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    options = ["-scheme=http", "-host=127.0.0.1", f"-port={port}", "-backend=memory"]
    command = [str(BINARIES / "fake-gcs-server"), *options]
    with _process(command, dict(os.environ), f"{address}/_internal/healthcheck"):
        httpx.post(f"{address}/storage/v1/b", json={"name": "models"}).raise_for_status()
        yield address


SERVERS = {
    "s3": Server(
        "versitygw",
        s3_server,
        lambda address: {**S3_SETTINGS, "AWS_ENDPOINT": address},
        "s3://models",
    ),
    "gs": Server(
        "fake-gcs-server",
        google_server,
        lambda address: {"STORAGE_EMULATOR_HOST": address},
        "gs://models",
    ),
}


@dataclass
class Gateway:
    """What stands between a client and an object store, and fails when a test wants it.

    Attributes:
        address: where it listens.
        closing: set when it ends.
        fault: called with method and path before a request is passed on. It may return a status
            that is answered instead; "stalled", which is never answered; "lost", which breaks the
            connection after the request has been carried out; or "cut", which breaks it after half
            of the answer's body. To the path of an upload that names its object in the body, that
            name is added.
        seen: method and path of each request.
    """

    address: str
    fault: Callable[[str, str], int | str | None] = lambda _method, _path: None
    seen: list[tuple[str, str]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_gateway(upstream: str) -> Iterator[Gateway]:
    """Run a gateway on a free port of the loopback."""
    client = httpx.Client(base_url=upstream, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            named = re.search(rb'"name": "([^"]+)"', body) if "/upload/" in self.path else None
            path = unquote(self.path) + (named[1].decode() if named else "")
            gateway.seen.append((self.command, path))
            fault = gateway.fault(self.command, path)
            if isinstance(fault, int):
                self.send_response(fault)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fault == "stalled":
                gateway.closing.wait()
                self.close_connection = True
                return
            # The Host too: the client has signed it.
            request = client.build_request(self.command, self.path, content=body)
            request.headers = httpx.Headers(dict(self.headers))
            response = client.send(request)
            if fault == "lost":
                self.close_connection = True
                return
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name not in {"connection", "transfer-encoding", "date", "server"}:
                    self.send_header(name, value)
            self.end_headers()
            content = response.content
            self.wfile.write(content[: len(content) // 2] if fault == "cut" else content)
            self.close_connection = fault == "cut"

        do_GET = do_PUT = do_DELETE = do_HEAD = do_POST = _pass_on  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    gateway = Gateway(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield gateway
    finally:
        gateway.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
        client.close()


@contextmanager
def _process(command: list[str], environment: dict[str, str], url: str) -> Iterator[None]:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: _answers(url))
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
