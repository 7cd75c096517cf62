"""A promoter that slept while others took its promotion over moves nothing any more."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.promotion.faults import Intercepted
from support.promotion.promotions import PromotionSite, promoting_verdict

from promote.promotion import Promoter
from promote.smoke import SmokeReport
from registry import Conflict, RegistryError
from registry.package import ModelPackage

Act = Callable[[PromotionSite, list[ModelPackage]], object]


@pytest.fixture
def served(site: PromotionSite, toys: list[ModelPackage]) -> PromotionSite:
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    return site


def sleeper(site: PromotionSite, others: Callable[[], object], *, before: str) -> Promoter:
    """Return a promoter that falls asleep before its first effect of this name.

    The others act meanwhile.
    """
    pending = [others]

    def around(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - of any effect
        if name == before and pending:
            pending.pop()()
        return effect()

    return site.promoter(
        store=Intercepted(site.store, around, ("point", "unpoint")),
        smoke=lambda package: around("smoke", lambda: site.smoke(package)),
    )


def undo(site: PromotionSite, toys: list[ModelPackage]) -> None:
    """Take the entry over, and undo it."""
    site.smoke.passes = False
    site.clock.forward(601)
    site.promoter().repair("toy")
    site.smoke.passes = True


def promote_another(site: PromotionSite, toys: list[ModelPackage]) -> None:
    undo(site, toys)
    site.promoter().promote(toys[2], promoting_verdict(toys[2], toys[0]))


@pytest.mark.parametrize(("others", "serves"), [(undo, 0), (promote_another, 2)])
def test_one_who_wakes_before_the_pointer_moves_does_not_move_it(
    served: PromotionSite, toys: list[ModelPackage], others: Act, serves: int
) -> None:
    promoter = sleeper(served, lambda: others(served, toys), before="point")
    tested = len(served.smoke.asked)
    with pytest.raises(Conflict, match="promotion 2 of toy was taken over"):
        promoter.promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.assert_settled(toys[serves])
    assert served.states()[:2] == ["live", "reverted"]
    assert toys[1].digest not in served.smoke.asked[tested:]


@pytest.mark.parametrize("passes", [True, False])
@pytest.mark.parametrize(("others", "serves"), [(undo, 0), (promote_another, 2)])
def test_one_who_wakes_before_the_smoke_test_brings_nothing_back(
    served: PromotionSite, toys: list[ModelPackage], others: Act, serves: int, *, passes: bool
) -> None:
    def meanwhile() -> None:
        others(served, toys)
        served.smoke.passes = passes

    with pytest.raises(Exception, match="reverted"):
        sleeper(served, meanwhile, before="smoke").promote(
            toys[1], promoting_verdict(toys[1], toys[0])
        )
    served.assert_settled(toys[serves])


def test_the_last_look_comes_after_the_new_pointer_is_on_the_disk(
    served: PromotionSite, toys: list[ModelPackage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flushing can take seconds; whoever is overtaken meanwhile must see it."""
    real = os.fsync
    pending = [lambda: promote_another(served, toys)]

    def slow(descriptor: int) -> None:
        real(descriptor)
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if pending and ".toy.json." in name:
            pending.pop()()

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(Conflict, match="was taken over"):
        served.promoter().promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.assert_settled(toys[2])


def test_a_pointer_that_was_moved_by_hand_is_not_overwritten_unseen(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    other = served.store.pointer("toy")
    assert other
    meanwhile = other.replace(sha256="7" * 64)
    promoter = sleeper(served, lambda: served.store.point(meanwhile), before="point")
    with pytest.raises(Conflict, match="moved by another process"):
        promoter.promote(toys[1], promoting_verdict(toys[1], toys[0]))
    assert served.states() == ["live", "reverted"]
    served.assert_settled(toys[0])


def test_one_who_was_overtaken_in_the_last_moment_puts_it_right_at_once(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    """Between the last look and the rename nothing can be excluded; the next look finds it."""

    def around(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401 - of any effect
        found = effect()
        if name == "point" and served.states()[-1] == "in flight":
            pointer = served.store.pointer("toy")
            promote_another(served, toys)
            assert pointer
            served.store.point(pointer)
        return found

    promoter = served.promoter(store=Intercepted(served.store, around, ("point",)))
    with pytest.raises(RegistryError, match="was taken over"):
        promoter.promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.assert_settled(toys[2])


def test_a_smoke_test_that_fails_after_a_take_over_reverts_nothing_else(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    def smoke(package: ModelPackage) -> SmokeReport:
        served.promoter().repair("toy", force=True)  # finishes it, as the pointer names it
        served.promoter().promote(toys[2], promoting_verdict(toys[2], toys[1]))
        served.smoke.passes = False
        return served.smoke(package)

    with pytest.raises(Conflict, match="live already"):
        served.promoter(smoke=smoke).promote(toys[1], promoting_verdict(toys[1], toys[0]))
    served.assert_settled(toys[2])
