"""`serve` listens for gRPC beside HTTP where it is asked to, in every worker."""

import pytest
from support.servers import PATIENCE, free_port, put, running

from registry import ModelStore
from registry.package import ModelPackage

grpc = pytest.importorskip("grpc", reason="the extra `grpc` is not installed")


@pytest.mark.parametrize("workers", [1, 2])
def test_both_are_there_until_the_server_ends(store: ModelStore, toys: list[ModelPackage], workers: int) -> None:
    put(store, toys[0])
    port = free_port()
    options = {"grpc_port": port, "workers": workers}
    with running(store, "toy", **options) as server, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready = channel.unary_unary("/inference.GRPCInferenceService/ServerReady")
        assert ready(b"", timeout=PATIENCE, wait_for_ready=True) == b"\x08\x01"
        assert server.client.get("/readyz").is_success
        server.process.terminate()
        assert server.process.wait(PATIENCE) in {0, -15}
        with pytest.raises(grpc.RpcError):
            ready(b"", timeout=1)


def test_a_taken_port_is_said_before_anything_is_loaded(store: ModelStore) -> None:
    from typer.testing import CliRunner

    from api.serve import bind
    from tunegate.cli import app

    with bind("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        words = ["serve", "--store", str(store.root), "--port", str(free_port()), "--grpc-port", port]
        result = CliRunner().invoke(app, words)
    assert "cannot listen on" in str(result.exception)
