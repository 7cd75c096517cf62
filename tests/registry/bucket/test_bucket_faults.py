"""A bucket that fails on the way: nothing is written twice, and nothing half is believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.ledger import advance
from support.registry.buckets import SERVERS, Gateway, running_gateway
from support.registry.ledgers import outcome, promotion
from support.registry.package_variants import tiny

from registry import Pointer, StoreError, Unreachable
from registry.bucket import Bucket, BucketLedger, BucketReplica, BucketStore, open_bucket


@pytest.fixture(scope="module", params=sorted(SERVERS))
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Gateway]]:
    """A real server's bucket behind a gateway; the environment names the gateway."""
    server = SERVERS[request.param]
    if not server.is_built():
        pytest.skip("scripts/object-stores has not built the server")
    folder = tmp_path_factory.mktemp(request.param)
    with (
        server.run(folder) as address,
        running_gateway(address) as gateway,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.settings(gateway.address).items():
            patch.setenv(name, value)
        yield server.url, gateway


@pytest.fixture
def gateway(started: tuple[str, Gateway]) -> Gateway:
    gateway = started[1]
    gateway.fault = lambda *_: None
    gateway.seen.clear()
    return gateway


@pytest.fixture
def bucket(started: tuple[str, Gateway], tmp_path: Path) -> Bucket:
    return open_bucket(f"{started[0]}/{tmp_path.name}")


def once(gateway: Gateway, fault: int | str, method: str, part: str) -> None:
    """Let the first request of this method, or upload, whose path has this part fail."""
    left = [fault]

    def decide(made: str, path: str) -> int | str | None:
        found = "PUT" if "/upload/" in path else made
        return left.pop() if left and found == method and part in path else None

    gateway.fault = decide


@pytest.mark.parametrize("fault", [503, "lost"])
def test_a_record_whose_request_was_repeated_is_there_once(
    gateway: Gateway, bucket: Bucket, fault: int | str
) -> None:
    ledger = BucketLedger(bucket)
    once(gateway, fault, "PUT", "00000001.json")
    ledger.create(promotion(1))
    once(gateway, fault, "PUT", "outcome")
    ledger.close("houses", 1, outcome("live"))
    assert [entry.state for entry in BucketLedger(bucket).history("houses")] == ["live"]
    assert sum(method in {"PUT", "POST"} for method, _ in gateway.seen) == 4


@pytest.mark.parametrize("fault", [503, "lost"])
def test_a_pointer_whose_request_was_repeated_has_moved(
    gateway: Gateway, bucket: Bucket, tmp_path: Path, fault: int | str
) -> None:
    store = BucketStore(bucket, tmp_path / "promoter")
    for number in (1, 2):
        once(gateway, fault, "PUT", "pointers")
        pointer = Pointer(model="toy", number=number, sha256=f"{number:064x}")
        store.point(pointer)
        assert store.pointer("toy") == pointer


def test_a_request_that_is_never_answered_is_given_up_and_can_be_made_again(
    gateway: Gateway, started: tuple[str, Gateway], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("google_bucket", "obstore_bucket"):
        monkeypatch.setattr(f"registry.bucket.{module}.TIMEOUT", 1.0)
    monkeypatch.setattr("registry.bucket.google_bucket.PATIENCE", 20.0)
    ledger = BucketLedger(open_bucket(f"{started[0]}/{tmp_path.name}"))
    once(gateway, "stalled", "PUT", "00000001.json")
    try:
        ledger.create(promotion(1))  # Google's client asks again by itself
    except Unreachable:
        ledger.create(promotion(1))
    assert len(ledger.history("houses")) == 1


def test_an_answer_that_was_cut_off_is_not_believed(
    gateway: Gateway, bucket: Bucket, tmp_path: Path
) -> None:
    store = BucketStore(bucket, tmp_path / "promoter")
    package = tiny(tmp_path / "trial")
    store.add(package)
    once(gateway, "cut", "GET", "model.npz")
    replica = BucketStore(bucket, tmp_path / "server")
    try:
        opened = replica.open(package.digest)
    except StoreError:
        opened = replica.open(package.digest)
    assert opened.digest == package.digest


def test_lists_that_are_stale_change_no_history(gateway: Gateway, bucket: Bucket) -> None:
    advance(BucketLedger(bucket), "live", "live")
    gateway.fault = lambda _, path: 503 if "prefix=" in path else None
    assert len(BucketLedger(bucket).history("houses")) == 2


def test_a_store_that_fails_is_said_and_leaves_the_folder(
    gateway: Gateway, bucket: Bucket, tmp_path: Path
) -> None:
    store = BucketStore(bucket, tmp_path / "promoter")
    package = tiny(tmp_path / "trial")
    store.add(package)
    store.point(Pointer(model="toy", number=1, sha256=package.digest))
    replica = BucketReplica(BucketStore(bucket, tmp_path / "server"), interval=0)
    replica.refresh("toy")
    gateway.fault = lambda *_: 503
    with pytest.raises(StoreError, match="check the object store's address"):
        replica.refresh("toy")
    assert replica.open(package.digest).digest == package.digest
    with pytest.raises(Unreachable):
        BucketLedger(bucket).history("houses")
