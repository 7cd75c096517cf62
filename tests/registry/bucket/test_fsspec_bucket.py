"""Places that fsspec knows: packages, a pointer that servers follow, and no ledger."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support.registry.package_variants import tiny

from registry import LedgerError, Pointer, StoreError
from registry.bucket import Bucket, BucketLedger, BucketReplica, BucketStore, open_bucket


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(f"file://{tmp_path}/share")


def test_a_promoted_model_is_followed_by_a_server_that_can_only_read(
    bucket: Bucket, tmp_path: Path
) -> None:
    store = BucketStore(bucket, tmp_path / "promoter")
    a, b = (tiny(tmp_path / name, low=low) for name, low in (("a", 1.0), ("b", 3.0)))
    (tmp_path / "share").mkdir()
    web = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path / "share"))
    )
    thread = Thread(target=web.serve_forever)
    thread.start()
    try:
        there = open_bucket(f"http://127.0.0.1:{web.server_port}")
        server = BucketReplica(BucketStore(there, tmp_path / "server"), interval=0)
        for number, package in enumerate((a, b), start=1):
            store.add(package)
            store.point(Pointer(model="toy", number=number, sha256=package.digest))
            server.refresh("toy")
            server.refresh("toy")  # nothing new
            assert server.pointer("toy") == store.pointer("toy")
            assert server.open(package.digest).digest == package.digest
        with pytest.raises(StoreError, match="Unsupported method"):
            there.write("pointers/toy.json", b"null")
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
    assert store.models() == ["toy"]
    store.unpoint("toy")
    assert store.models() == []


def test_of_two_writers_that_read_the_same_pointer_one_moves_it(
    bucket: Bucket, tmp_path: Path
) -> None:
    package = tiny(tmp_path / "trial")
    stores = [BucketStore(bucket, tmp_path / name) for name in ("one", "other")]
    for number, store in enumerate(stores, start=1):
        if number == 1:
            store.add(package)
            store.point(Pointer(model="toy", number=1, sha256=package.digest))
        assert store.pointer("toy")
    one, other = stores
    other.point(Pointer(model="toy", number=2, sha256=package.digest))
    with pytest.raises(StoreError, match="another writer has moved it"):
        one.point(Pointer(model="toy", number=3, sha256=package.digest))


def test_no_ledger_is_kept_where_two_promotions_could_take_a_number(bucket: Bucket) -> None:
    with pytest.raises(LedgerError, match="this place has no conditional write"):
        BucketLedger(bucket)
