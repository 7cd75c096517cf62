"""The store's copy of the ledger's history: right after every outcome, and never needed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.promotion.faults import Crash, Intercepted, crashing_promoter
from support.promotion.promotions import PromotionSite, promoting_verdict

from promote import SmokeFailed
from registry import StoreError
from registry.history import History
from registry.package import ModelPackage

LEASE_OVER = 601


@pytest.fixture
def served(site: PromotionSite, toys: list[ModelPackage]) -> PromotionSite:
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    return site


def assert_told(site: PromotionSite) -> History:
    """Assert that the store says what the ledger says, and return it."""
    told = site.store.history("toy")
    assert told == History.of("toy", site.ledger.history("toy"))
    assert told
    return told


def test_a_promotion_is_told_with_what_it_was_decided_on(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    entry = served.promoter(actor="anna").promote(
        b, promoting_verdict(b, a, reasons=("better by both keys",))
    )
    first, second = assert_told(served).entries
    assert (first.kind, first.previous, first.champion_score) == ("first", None, None)
    assert (second.number, second.sha256, second.state, second.previous) == (2, b.digest, "live", 1)
    assert (second.reasons, second.experiment, second.trial) == (
        ("better by both keys",),
        "toy",
        "toy-b",
    )
    assert (second.metric, second.score, second.champion_score) == ("mse", 1.5, 1.5)
    assert second.decided_at == entry.promotion.created_at
    assert "anna" not in served.store.history_path("toy").read_text()


def test_a_promotion_that_was_reverted_is_told_too(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    served.smoke.passes = False
    with pytest.raises(SmokeFailed):
        served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    assert [past.state for past in assert_told(served).entries] == ["live", "reverted"]


def test_a_rollback_is_told(served: PromotionSite, toys: list[ModelPackage]) -> None:
    served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.promoter().rollback("toy", reason="b is slow")
    last = assert_told(served).entries[-1]
    assert (last.kind, last.reasons, last.sha256) == ("rollback", ("b is slow",), toys[0].digest)


def test_a_server_learns_of_a_promotion_before_the_pointer_names_it(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    def learned(name: str, effect: Callable[[], None]) -> object:
        if name == "point":
            history = served.store.history("toy")
            assert history
            told = history.entries[-1]
            assert (told.number, told.sha256, told.state) == (2, toys[1].digest, "in flight")
        return effect()

    store = Intercepted(served.store, learned, ("point",))
    served.promoter(store=store).promote(toys[1], promoting_verdict(toys[1], toys[0]))


@pytest.mark.parametrize("step", ["create", "point", "smoke", "close"])
def test_repair_tells_what_a_crash_left_untold(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    with pytest.raises(Crash):
        crashing_promoter(served, step).promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.clock.forward(LEASE_OVER)
    served.promoter().repair("toy")
    assert len(assert_told(served).entries) == 2


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff", b'{"format": 2}', b'{"model": "toy", "entries": [{}]}']
)
def test_repair_mends_what_is_missing_or_damaged_without_touching_the_pointer(
    served: PromotionSite, content: bytes | None
) -> None:
    before = served.store.pointer_path("toy").stat()
    path = served.store.history_path("toy")
    path.unlink()
    if content is not None:
        path.write_bytes(content)
        with pytest.raises(StoreError, match="not a readable history"):
            served.store.history("toy")
    assert served.promoter().repair("toy") == []
    assert_told(served)
    after = served.store.pointer_path("toy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_what_is_told_already_is_not_written_again(served: PromotionSite) -> None:
    before = served.store.history_path("toy").stat()
    served.promoter().repair("toy")
    after = served.store.history_path("toy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_of_a_model_that_nobody_knows_nothing_is_told(site: PromotionSite) -> None:
    site.promoter().repair("nobody")
    assert site.store.history("nobody") is None


def in_the_way(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def test_a_promotion_succeeds_where_the_history_cannot_be_written(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    in_the_way(served.store.history_path("toy"))
    told: list[str] = []
    entry = served.promoter(notify=told.append).promote(
        toys[1], promoting_verdict(toys[1], toys[0])
    )
    assert entry.state == "live"
    served.assert_settled(toys[1])
    assert [
        sentence
        for sentence in told
        if "the history of toy next to its pointer is out of date" in sentence
    ]
    served.promoter().rollback("toy")
    served.assert_settled(toys[0])
    served.store.history_path("toy").rmdir()
    served.promoter().repair("toy")
    assert len(assert_told(served).entries) == 3


@pytest.mark.parametrize("act", ["promote", "revert", "rollback"])
def test_a_crash_while_it_is_told_leaves_the_pointer_right(
    served: PromotionSite, toys: list[ModelPackage], act: str
) -> None:
    a, b, _ = toys

    writes: list[str] = []

    def crash(name: str, effect: Callable[[], None]) -> None:
        if writes:  # the first one is before the pointer moves
            raise Crash
        writes.append(name)
        effect()

    if act == "rollback":
        served.promoter().promote(b, promoting_verdict(b, a))
    served.smoke.passes = act != "revert"
    promoter = served.promoter(store=Intercepted(served.store, crash, ("write_history",)))
    with pytest.raises(Crash):
        promoter.rollback("toy") if act == "rollback" else promoter.promote(
            b, promoting_verdict(b, a)
        )
    served.assert_settled(b if act == "promote" else a)
    served.smoke.passes = True
    served.promoter().repair("toy")
    assert_told(served)


def test_one_who_tells_late_does_not_leave_an_older_history(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    """Between our reading of the ledger and our writing, another process promotes and tells."""
    a, b, c = toys
    others = [lambda: served.promoter().promote(c, promoting_verdict(c, b))]

    def late(_: str, effect: object) -> None:
        if others and served.states()[-1] != "in flight":
            others.pop()()
        effect()  # type: ignore[operator] # the write

    served.promoter(store=Intercepted(served.store, late, ("write_history",))).promote(
        b, promoting_verdict(b, a)
    )
    served.assert_settled(c)
    assert len(assert_told(served).entries) == 3
