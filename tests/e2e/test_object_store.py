"""A model goes to a bucket and is served from there by a machine that shares nothing else."""

from pathlib import Path

import httpx
import pytest
from support.cli import Running, free_port, tunegate
from support.registry.buckets import SERVERS


@pytest.mark.parametrize("kind", SERVERS)
def test_a_promoted_model_is_served_elsewhere_and_outlives_its_bucket(
    kind: str, tmp_path: Path
) -> None:
    started = SERVERS[kind]
    if not started.is_built():
        pytest.skip("scripts/object-stores has not built the server")
    with started.run(tmp_path / kind) as address:
        env = {
            **started.settings(address),
            "TUNEGATE_STORE": f"{started.url}/houses",
            "TUNEGATE_LEDGER": f"{started.url}/ledger",
        }
        package = tmp_path / "package"
        assert tunegate("train", "--data", "iris", "--output", package).returncode == 0
        trainer = ("--data", "iris", "--state", tmp_path / "trainer")
        done = tunegate("promote", "--package", package, *trainer, env=env)
        assert done.returncode == 0, done.stderr
        assert "live" in tunegate("history", "--model", "iris", env=env, cwd=tmp_path).stderr

        port = free_port()
        words = ("serve", "--model", "iris", "--state", tmp_path / "server", "--port", port)
        server = Running(words, env)
        server.wait_for("serving promotion 1 of iris")
    try:
        url = f"http://127.0.0.1:{port}"
        about = httpx.get(f"{url}/openapi.json").json()
        body = about["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
        row = next(iter(body["examples"].values()))["value"]
        assert httpx.post(f"{url}/predict", json=row).status_code == 200
        server.wait_for("the store cannot be refreshed, its copy here is served")
        assert httpx.post(f"{url}/predict", json=row).status_code == 200
    finally:
        server.close()
