"""A table is read from a real S3 server, moto's, which `scripts/peers moto` installs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs
from support.patience import patience
from support.serving.servers import free_port

from trainer import DataError, load_spec
from trainer.tables import read_table

ROOT = Path(__file__).parents[2]
SERVER = ROOT / ".peers" / "moto" / "bin" / "moto_server"
TABLE = "size,price\n1,2\n2,4\n"


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Start the server with two objects in a bucket; yield its address."""
    if not SERVER.exists():
        pytest.skip("scripts/peers moto installs the server")
    port = free_port()
    command = [str(SERVER), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:  # it has said so when it listens
                if "Running on http" in line:
                    break
            address = f"http://127.0.0.1:{port}"
            keys = {"key": "any", "secret": "any"}
            files = s3fs.S3FileSystem(**keys, client_kwargs={"endpoint_url": address})
            files.mkdir("tables")
            for name in ("p1.csv", "p2.csv"):
                files.pipe(f"tables/{name}", TABLE.encode())
            yield address
        finally:
            server.terminate()
            server.wait(patience(30))


@pytest.mark.parametrize(("source", "rows"), [("p1.csv", 2), ("p*.csv", 4), ("none.csv", 0)])
def test_a_table_is_read_from_an_object_store(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, rows: int
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    spec = tmp_path / "toy.toml"
    spec.write_text(
        f'name = "toy"\nsource = "s3://tables/{source}"\ntarget = "price"\ntask = "regression"\n'
    )
    if not rows:
        with pytest.raises(DataError, match=r"s3://tables/none\.csv: not found"):
            read_table(load_spec(str(spec)))
        return
    assert len(read_table(load_spec(str(spec))).frame) == rows
