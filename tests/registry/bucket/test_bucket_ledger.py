"""The ledger in an object store: obstore's own memory, and real servers of S3 and GCS."""

import threading
from collections.abc import Callable

import pytest
from contract.ledger import Connect, LedgerContract, advance
from support.registry.ledgers import outcome, promotion

from registry import DamagedLedger, Ledger
from registry.bucket import Bucket, BucketLedger
from registry.bucket.bucket_ledger import AT_ONCE
from registry.chain import StoredEntry


class TestBucketLedger(LedgerContract):
    @pytest.fixture
    def connect(self, bucket: Bucket) -> Connect:
        return lambda: BucketLedger(bucket)

    @pytest.fixture
    def unreachable(self, closed_bucket: Bucket) -> Ledger:
        return BucketLedger(closed_bucket)


def test_a_history_of_many_pages_is_read_in_order(bucket: Bucket) -> None:
    results = ["live", "reverted"] * AT_ONCE
    advance(BucketLedger(bucket), *results)
    history = BucketLedger(bucket).history("houses")
    assert [entry.state for entry in history] == results
    assert [entry.promotion.number for entry in history] == list(range(1, len(results) + 1))


def test_a_closed_entry_is_read_once(bucket: Bucket, reads: Callable[[], int]) -> None:
    ledger = BucketLedger(bucket)
    advance(ledger, *["live"] * 20)
    first = reads()
    ledger.history("houses")
    assert reads() - first <= AT_ONCE


def test_what_no_ledger_wrote_is_refused(bucket: Bucket) -> None:
    bucket.create("ledger/houses/00000001.json", b'{"writer": "me"}')
    with pytest.raises(DamagedLedger, match=r"00000001\.json: the record cannot be read"):
        BucketLedger(bucket).history("houses")


def test_an_outcome_that_came_while_later_entries_were_read_is_seen(bucket: Bucket) -> None:
    writer = BucketLedger(bucket)
    writer.create(promotion(1))
    closed = threading.Event()

    class SlowReader(BucketLedger):
        """Reads the first entry before, and the others after somebody else has closed it."""

        def _entry(self, model: str, number: int) -> StoredEntry | None:
            if number > 1:
                closed.wait()
            found = super()._entry(model, number)
            if number == 1 and not closed.is_set():
                writer.close("houses", 1, outcome("live"))
                writer.create(promotion(2))
                closed.set()
            return found

    states = [entry.state for entry in SlowReader(bucket).history("houses")]
    assert states == ["live", "in flight"]


def test_a_record_that_was_changed_is_named(bucket: Bucket) -> None:
    advance(BucketLedger(bucket), "live", "live")
    name = "ledger/houses/00000001.json"
    blob = bucket.read(name, limit=1 << 20)
    assert blob
    bucket.write(name, blob.data.replace(b'"lease":600', b'"lease":601'))
    with pytest.raises(DamagedLedger, match="promotion 1 of houses is not as it was written"):
        BucketLedger(bucket).history("houses")
