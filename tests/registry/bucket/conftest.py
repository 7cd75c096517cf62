"""Buckets: in memory, and of real servers where `scripts/object-stores` has built them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cli import free_port
from support.registry.buckets import SERVERS

from registry.bucket import Bucket, open_bucket
from registry.bucket.bucket import Version
from registry.bucket.obstore_bucket import ObstoreBucket

pytest.register_assert_rewrite("contract.ledger")


@pytest.fixture(scope="session", params=["memory", *SERVERS])
def bucket_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The kind of object store; its server runs, and the environment names it."""
    kind: str = request.param
    if kind not in SERVERS:
        yield kind
        return
    server = SERVERS[kind]
    if not server.is_built():
        pytest.skip("scripts/object-stores has not built the server")
    folder = tmp_path_factory.mktemp(kind)
    with pytest.MonkeyPatch.context() as patch, server.run(folder) as address:
        for name, value in server.settings(address).items():
            patch.setenv(name, value)
        yield kind


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer is given up soon."""
    monkeypatch.setattr("registry.bucket.google_bucket.PATIENCE", 0.6)
    monkeypatch.setattr("registry.bucket.obstore_bucket.REPETITIONS", 1)


@pytest.fixture
def bucket(bucket_kind: str, tmp_path: Path) -> Bucket:
    """An empty folder of a bucket."""
    if bucket_kind == "memory":
        return ObstoreBucket("memory:///")
    return open_bucket(f"{bucket_kind}://models/{tmp_path.name}")


@pytest.fixture
def closed_bucket(bucket_kind: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket whose server does not answer."""
    server = SERVERS.get(bucket_kind, SERVERS["s3"])
    for name, value in server.settings(f"http://127.0.0.1:{free_port()}").items():
        monkeypatch.setenv(name, value)
    return open_bucket(server.url)


@pytest.fixture
def reads(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what counts the objects that were asked for so far."""
    names: list[str] = []
    read = bucket.read

    def counted(name: str, *, limit: int, than: Version | None = None) -> object:
        names.append(name)
        return read(name, limit=limit, than=than)

    monkeypatch.setattr(bucket, "read", counted)
    return lambda: len(names)
