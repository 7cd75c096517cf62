"""The process: its socket, its start, and its end."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
import uvicorn
from support.serving.load import connect_to
from support.serving.servers import PATIENCE, Running, await_true, in_process, put, running, serving

from api import create_app
from api.server.run import Options, PortInUse, bind, serve_app
from registry import ModelStore
from registry.package import ModelPackage


def test_a_port_that_is_taken_is_refused_before_anything_is_loaded() -> None:
    """Also while the other one is still loading its model, and has not answered anybody yet."""
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            PortInUse, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"
        ):
            bind("127.0.0.1", port)
    with bind("127.0.0.1", port):
        pass


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(PortInUse, match="cannot listen on"):
        bind(host, 0)


def test_an_idle_connection_is_kept_for_longer_than_a_proxy_keeps_it(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a proxy might send a request just as we close the connection.

    nginx and clouds' load balancers keep it for 60 s.
    """
    seen: list[uvicorn.Server] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, **_: seen.append(self))
    with bind("127.0.0.1", 0) as listener:
        serve_app(Options(store.root, "toy"), listener)
    assert seen[0].config.timeout_keep_alive > 60


def test_a_client_that_comes_while_the_model_is_loaded_is_answered(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with (
        bind("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname(), timeout=PATIENCE) as early,
    ):
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100).startswith(b"GET /healthz")


def test_a_model_that_is_there_at_the_start_serves_from_the_first_request(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    with serving(store, toys[0]) as client:
        assert client.post("/predict", json={"x": 0.25}).json()["predicted_y"] == 1.0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_after_the_requests_in_flight(
    store: ModelStore, toys: list[ModelPackage], stop: signal.Signals
) -> None:
    put(store, toys[0])
    body = b'{"x": 0.25}'
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with running(store, "toy") as server, connect_to(server) as slow:
        slow.sendall(head + body[:4])
        # The server has read the head above before it answers this.
        assert server.client.get("/healthz").is_success
        os.kill(server.process.pid, stop)
        await_true(lambda: not accepts_connections(server), "the server to take no new connections")
        await_true(
            lambda: "Waiting for connections to close" in server.log_text(),
            "the server to wait for this one",
        )
        slow.sendall(body[4:])
        answer = b"".join(iter(lambda: slow.recv(1 << 16), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"predicted_y":1.0' in answer
        assert server.process.wait(PATIENCE) == 0
        assert "ERROR" not in server.log_text()


def accepts_connections(server: Running) -> bool:
    try:
        connect_to(server).close()
    except OSError:
        return False
    return True


def test_a_server_that_was_started_by_a_run_ends_when_the_run_does(
    store: ModelStore, toys: list[ModelPackage]
) -> None:
    put(store, toys[0])
    with running(store, "toy") as server:
        assert server.process.stdin
        server.process.stdin.close()
        assert server.process.wait(PATIENCE) == 0


def test_two_servers_follow_one_store(store: ModelStore, toys: list[ModelPackage]) -> None:
    put(store, toys[0])
    with in_process(create_app(store, "toy")) as one, in_process(create_app(store, "toy")) as other:
        put(store, toys[1], number=2)
        for client in (one, other):
            await_true(lambda c=client: predicted_toy(c) == 3.0, "the new model's answer")
        assert one.get("/version").json()["store"] == other.get("/version").json()["store"]


def predicted_toy(client: httpx.Client) -> float:
    found: float = client.post("/predict", json={"x": 0.25}).json()["predicted_y"]
    return found


def test_the_follower_ends_with_the_server(store: ModelStore, toys: list[ModelPackage]) -> None:
    def followers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "follower"]

    before = followers()
    with serving(store, toys[0]):
        assert len(followers()) == len(before) + 1
    assert followers() == before


def test_the_server_needs_no_training_libraries(tmp_path: Path) -> None:
    libraries = {"sklearn", "pandas", "scipy", "optuna"}
    code = f"import sys, api.server.run; print(sorted({libraries} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
