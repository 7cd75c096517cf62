"""Buckets: in memory, and of a real S3 server where `scripts/object-stores` has built it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.cli import free_port
from support.registry.buckets import S3_SETTINGS, has_server, s3_server

from registry.bucket import Bucket
from registry.bucket.bucket import Version

pytest.register_assert_rewrite("contract.ledger")


@pytest.fixture(scope="session", params=["memory", "s3"])
def bucket_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The kind of object store; its server runs, and the environment names it."""
    kind: str = request.param
    if kind == "s3" and not has_server("versitygw"):
        pytest.skip("scripts/object-stores has not built the server")
    folder = tmp_path_factory.mktemp(kind)
    if kind == "memory":
        yield kind
        return
    with pytest.MonkeyPatch.context() as patch, s3_server(folder) as address:
        for name, value in {**S3_SETTINGS, "AWS_ENDPOINT": address}.items():
            patch.setenv(name, value)
        yield kind


@pytest.fixture
def bucket(bucket_kind: str, tmp_path: Path) -> Bucket:
    """An empty folder of a bucket."""
    if bucket_kind == "memory":
        return Bucket("memory:///")
    return Bucket(f"s3://models/{tmp_path.name}")


@pytest.fixture
def closed_bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket whose server does not answer."""
    for name, value in S3_SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    return Bucket("s3://models")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return what counts the objects that were asked for so far."""
    names: list[str] = []
    read = Bucket.read

    def counted(self: Bucket, name: str, *, limit: int, than: Version | None = None) -> object:
        names.append(name)
        return read(self, name, limit=limit, than=than)

    monkeypatch.setattr(Bucket, "read", counted)
    return lambda: len(names)
