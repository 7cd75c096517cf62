"""A model goes to a bucket and is served from there by a machine that shares nothing else."""

from pathlib import Path

import httpx
import pytest
from support.cli import Running, free_port, tunegate
from support.registry.buckets import S3_SETTINGS, has_server, s3_server

pytestmark = pytest.mark.skipif(
    not has_server("versitygw"), reason="scripts/object-stores has not built the server"
)


def test_a_promoted_model_is_served_elsewhere_and_outlives_its_bucket(tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as address:
        env = {
            **S3_SETTINGS,
            "AWS_ENDPOINT": address,
            "TUNEGATE_STORE": "s3://models/houses",
            "TUNEGATE_LEDGER": "s3://models/ledger",
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
