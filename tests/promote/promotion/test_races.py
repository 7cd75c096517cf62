"""Two at once: whatever the order of their steps, one history and a pointer that follows it."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.promotion.faults import TurnSchedule, intercepted_promoter
from support.promotion.promotions import PromotionSite, memory_folder, promoting_verdict

from promote import PromoteError
from promote.promotion import Promoter, Smoke
from promote.smoke import SmokeReport
from registry import Conflict, RegistryError, champion
from registry.package import ModelPackage

MOMENTS = 40
Act = Callable[[Promoter, list[ModelPackage]], object]
ACTS: dict[str, Act] = {
    "promote b": lambda promoter, toys: promoter.promote(
        toys[1], promoting_verdict(toys[1], toys[0])
    ),
    "promote c": lambda promoter, toys: promoter.promote(
        toys[2], promoting_verdict(toys[2], toys[0])
    ),
    "promote c twice over": lambda promoter, toys: (
        promoter.promote(toys[2], promoting_verdict(toys[2], toys[0])),
        promoter.promote(toys[1], promoting_verdict(toys[1], toys[2])),
    ),
    "roll back": lambda promoter, _: promoter.rollback("toy"),
    "repair": lambda promoter, _: promoter.repair("toy"),
    "repair by force": lambda promoter, _: promoter.repair("toy", force=True),
}
GENTLE = ["promote b", "promote c", "roll back", "repair"]


def served(root: Path, toys: list[ModelPackage]) -> PromotionSite:
    """Return a site where a serves, and c served before."""
    site = PromotionSite(root)
    site.promoter().promote(toys[2], promoting_verdict(toys[2], None))
    site.promoter().promote(toys[0], promoting_verdict(toys[0], toys[2]))
    return site


def assert_sound(site: PromotionSite) -> None:
    """Assert that each promotion replaced the champion of its time, and the last one is served."""
    history = site.ledger.history("toy")
    assert [entry.promotion.number for entry in history] == list(range(1, len(history) + 1))
    for place, entry in enumerate(history):
        before = champion(history[:place])
        assert entry.promotion.previous == (before.promotion.number if before else None)
    assert "in flight" not in site.states()
    assert site.pointed_digest() == site.champion_digest()


@pytest.mark.parametrize(
    "act", ["promote c", "promote c twice over", "roll back", "repair by force"]
)
@pytest.mark.parametrize("mine", ["promote b", "roll back"])
@pytest.mark.parametrize("passes", [True, False])
def test_somebody_else_may_act_between_any_two_steps(
    toys: list[ModelPackage],
    act: str,
    mine: str,
    passes: bool,  # noqa: FBT001
) -> None:
    for moment in range(MOMENTS):
        with memory_folder() as folder:
            site = served(folder, toys)
            site.smoke.passes = passes
            count = acting_at(moment, site, toys, mine=ACTS[mine], act=ACTS[act])
            assert_sound(site)
        if count <= moment:  # nothing was disturbed any more: no moment is missing
            break
    assert count < MOMENTS


def acting_at(
    moment: int, site: PromotionSite, toys: list[ModelPackage], *, mine: Act, act: Act
) -> int:
    """Do `mine`, and `act` before its effect number `moment`; return how many there were."""
    effects = 0

    def around(_: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
        nonlocal effects
        if effects == moment:
            with suppress(RegistryError, PromoteError):
                act(site.promoter(), toys)
        effects += 1
        return effect()

    with suppress(RegistryError, PromoteError):
        mine(intercepted_promoter(site, around), toys)
    return effects


schedules = st.lists(st.integers(0, 1), max_size=40)


@settings(max_examples=60, deadline=None)
@example(
    mine="promote b",
    other="promote b",
    passes=True,
    lost=False,
    schedule=[0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1],
)
@example(
    mine="promote b",
    other="repair",
    passes=True,
    lost=True,
    schedule=[*[1] * 3, *[0] * 10, *[1] * 3],
)
@given(
    mine=st.sampled_from(list(ACTS)),
    other=st.sampled_from(list(ACTS)),
    passes=st.booleans(),
    lost=st.booleans(),
    schedule=schedules,
)
def test_any_interleaving_of_two_leaves_one_history_and_a_pointer_that_follows_it(
    toys: list[ModelPackage],
    mine: str,
    other: str,
    passes: bool,  # noqa: FBT001
    lost: bool,  # noqa: FBT001
    schedule: list[int],
) -> None:
    with memory_folder() as folder:
        site = served(folder, toys)
        site.smoke.passes = passes
        if lost:
            site.store.unpoint("toy")
        interleave(site, toys, (ACTS[mine], ACTS[other]), schedule)
        assert_sound(site)


@settings(max_examples=40, deadline=None)
@example(mine="promote b", other="repair", schedule=[1, *[0] * 7, *[1] * 3])
@given(mine=st.sampled_from(GENTLE), other=st.sampled_from(GENTLE), schedule=schedules)
def test_nobody_who_comes_meanwhile_disturbs_a_promotion_under_way(
    toys: list[ModelPackage], mine: str, other: str, schedule: list[int]
) -> None:
    """The service answers as the pointer says: a pointer moved away would fail the smoke test."""
    with memory_folder() as folder:
        site = served(folder, toys)
        interleave(
            site,
            toys,
            (ACTS[mine], ACTS[other]),
            schedule,
            smoke=lambda package: as_pointed(site, package),
        )
        assert_sound(site)
        assert set(site.states()) == {"live"}


def as_pointed(site: PromotionSite, package: ModelPackage) -> SmokeReport:
    """Pass where the pointer names the package."""
    site.smoke.passes = site.pointed_digest() == package.digest
    return site.smoke(package)


def interleave(
    site: PromotionSite,
    toys: list[ModelPackage],
    acts: tuple[Act, Act],
    schedule: list[int],
    *,
    smoke: Smoke | None = None,
) -> None:
    """Do both at once, their effects in the order of the schedule."""
    turns = TurnSchedule(schedule)

    def play(who: int) -> None:
        with turns.taking_part(who), suppress(RegistryError, PromoteError):
            acts[who](intercepted_promoter(site, turns.around(who), smoke=smoke), toys)

    threads = [threading.Thread(target=play, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_promotion_that_was_taken_over_and_undone_does_not_come_alive(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))

    def slow(package: ModelPackage) -> Any:  # noqa: ANN401
        site.store.point(site.store.pointer("toy").replace(number=1, sha256=a.digest))
        site.promoter().repair("toy", force=True)  # finds the pointer elsewhere, and undoes it
        return site.smoke(package)

    with pytest.raises(Conflict, match="reverted already"):
        site.promoter(smoke=slow).promote(b, promoting_verdict(b, a))
    assert site.states() == ["live", "reverted"]
    site.assert_settled(a)


def test_a_promotion_that_was_taken_over_and_finished_is_live(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))

    def slow(package: ModelPackage) -> Any:  # noqa: ANN401
        site.promoter().repair("toy", force=True)
        return site.smoke(package)

    entry = site.promoter(smoke=slow).promote(b, promoting_verdict(b, a))
    assert entry.state == "live"
    assert entry.outcome
    assert entry.outcome.note == "finished by repair"  # what was recorded first holds
    site.assert_settled(b)


def test_two_repairs_at_once_close_a_promotion_once(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    site.ledger.create(
        site.ledger.history("toy")[0].promotion.replace(number=2, previous=1, sha256=b.digest)
    )

    def slow(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
        if name == "close":
            site.promoter().repair("toy", force=True)
        return effect()

    intercepted_promoter(site, slow).repair("toy", force=True)
    assert site.states() == ["live", "reverted"]
    site.assert_settled(a)
