"""`serve` listens for gRPC next to HTTP if the options say so, in every worker."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.serving.servers import PATIENCE, TESTS, await_true, free_port, put, running

from api.server.run import bind
from registry import ModelStore
from registry.package import ModelPackage

grpc = pytest.importorskip("grpc", reason="the extra `grpc` is not installed")


@pytest.mark.parametrize("workers", [1, 2])
def test_both_answer_until_the_server_ends(
    store: ModelStore, toys: list[ModelPackage], workers: int
) -> None:
    put(store, toys[0])
    port = free_port()
    options = {"grpc_port": port, "workers": workers}
    with (
        running(store, "toy", **options) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        assert ready(b"", timeout=PATIENCE, wait_for_ready=True) == b"\x08\x01"
        assert server.client.get("/readyz").is_success
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        with pytest.raises(grpc.RpcError):
            ready(b"", timeout=1)


def test_a_taken_port_is_an_error_before_anything_is_loaded(store: ModelStore) -> None:
    from click.testing import CliRunner

    from tunegate.cli import root

    with bind("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        words = ["serve", "--store", str(store.root), "--port", str(free_port())]
        result = CliRunner().invoke(root, [*words, "--grpc-port", port])
    assert "cannot listen on" in str(result.exception)
    assert "--grpc-port" in result.exception.hint  # type: ignore[union-attr]


def test_one_port_cannot_be_both(store: ModelStore, capsys: pytest.CaptureFixture[str]) -> None:
    from tunegate.cli import main

    port = str(free_port())
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "--store", str(store.root), "--port", port, "--grpc-port", port])
    assert exit_.value.code == 2
    assert "--grpc-port" in capsys.readouterr().err


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_taken_meanwhile_ends_the_server(
    store: ModelStore, toys: list[ModelPackage], workers: int
) -> None:
    """Workers that cannot start are not replaced for ever."""
    put(store, toys[0])
    log = store.root.parent / "log"
    with bind("127.0.0.1", 0) as taken, log.open("wb") as stderr:
        options = json.dumps({"grpc_port": taken.getsockname()[1], "workers": workers})
        program = [sys.executable, "-m", "support.serving.server_process"]
        words = [*program, str(store.root), "toy", options]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=stderr, cwd=TESTS) as process:
            assert process.wait(3 * PATIENCE) == 3
    assert "cannot listen for gRPC" in log.read_text()


def test_a_draining_server_is_not_ready(store: ModelStore, toys: list[ModelPackage]) -> None:
    put(store, toys[0])
    port = free_port()
    with (
        running(store, "toy", grpc_port=port, drain=PATIENCE) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert (ready(b"", wait_for_ready=True), health(b"")) == (b"\x08\x01", b"\x08\x01")
        server.process.send_signal(signal.SIGTERM)
        await_true(lambda: (ready(b""), health(b"")) == (b"", b"\x08\x02"), "both to say no")


def test_both_end_together(store: ModelStore, toys: list[ModelPackage]) -> None:
    """gRPC takes no more calls while HTTP still waits for the end of a request."""
    put(store, toys[0])
    port = free_port()
    with (
        running(store, "toy", grpc_port=port) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        live(b"", timeout=PATIENCE, wait_for_ready=True)
        address = "127.0.0.1", int(server.url.rpartition(":")[2])
        with socket.create_connection(address, timeout=PATIENCE) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{")
            server.process.terminate()
            await_true(lambda: takes_no_calls(live), "gRPC to take no more calls")
            assert server.process.poll() is None
            slow.sendall(b'"x": 0.25}')
            assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")
        assert server.process.wait(PATIENCE) == 0


def takes_no_calls(call: Callable[..., bytes]) -> bool:
    try:
        call(b"", timeout=PATIENCE)
    except grpc.RpcError:
        return True
    return False
