"""A crash after any step leaves something that the next run, or repair, finishes or undoes."""

from typing import Any

import pytest
from support.promotion.faults import STEPS, Crash, crashing_promoter
from support.promotion.promotions import PromotionSite, promoting_verdict

from registry import Conflict, InFlight
from registry.package import ModelPackage

LEASE_OVER = 601
FINISHED = ("point", "smoke", "close")  # a crash after these: the new package serves already


@pytest.fixture
def served(site: PromotionSite, toys: list[ModelPackage]) -> PromotionSite:
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    return site


def crash_at(
    site: PromotionSite, step: str, package: ModelPackage, over: ModelPackage | None
) -> None:
    with pytest.raises(Crash):
        crashing_promoter(site, step).promote(package, promoting_verdict(package, over))


@pytest.mark.parametrize("step", STEPS)
def test_repair_finishes_or_undoes_a_crashed_promotion(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    a, b, _ = toys
    crash_at(served, step, b, a)
    served.clock.forward(LEASE_OVER)
    done = served.promoter().repair("toy")
    served.assert_settled(b if step in FINISHED else a)
    expected = {"add": [], "close": []}.get(step, ["live" if step in FINISHED else "reverted"])
    assert [sentence.rsplit(" ", 1)[1] for sentence in done] == expected
    assert served.promoter().repair("toy") == []


@pytest.mark.parametrize("step", STEPS)
def test_repair_after_the_crash_of_a_first_promotion(
    site: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    crash_at(site, step, toys[0], None)
    site.clock.forward(LEASE_OVER)
    site.promoter().repair("toy")
    site.assert_settled(toys[0] if step in FINISHED else None)


@pytest.mark.parametrize("step", ["create", "point", "smoke"])
def test_repair_undoes_what_does_not_pass_its_smoke_test_now(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    a, b, _ = toys
    crash_at(served, step, b, a)
    served.clock.forward(LEASE_OVER)
    served.smoke.passes = False
    served.promoter().repair("toy")
    assert served.states() == ["live", "reverted"]
    served.assert_settled(a)


def test_repair_removes_the_pointer_of_a_first_model_that_does_not_work(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    crash_at(site, "point", toys[0], None)
    site.clock.forward(LEASE_OVER)
    site.smoke.passes = False
    site.promoter().repair("toy")
    assert not site.store.pointer_path("toy").exists()
    site.assert_settled(None)


@pytest.mark.parametrize("step", STEPS)
def test_the_next_run_repairs_first(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    a, b, c = toys
    crash_at(served, step, b, a)
    served.clock.forward(LEASE_OVER)
    told: list[str] = []
    promoter = served.promoter(notify=told.append)
    if step in FINISHED:  # the verdict is about a champion that is no more
        with pytest.raises(Conflict):
            promoter.promote(c, promoting_verdict(c, a))
        served.assert_settled(b)
        promoter.promote(c, promoting_verdict(c, b))
    else:
        promoter.promote(c, promoting_verdict(c, a))
    served.assert_settled(c)
    numbers = [entry.promotion.number for entry in served.ledger.history("toy")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert any("left in flight" in sentence for sentence in told) == (
        step in {"create", "point", "smoke"}
    )


@pytest.mark.parametrize("step", STEPS)
def test_the_same_promotion_run_again_succeeds(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    a, b, _ = toys
    crash_at(served, step, b, a)
    served.clock.forward(LEASE_OVER)
    if step in FINISHED:
        served.promoter().repair("toy")
    else:
        served.promoter().promote(b, promoting_verdict(b, a))
    served.assert_settled(b)
    assert served.states().count("live") == 2


@pytest.mark.parametrize(("step", "time"), [("smoke", 1), ("point", 2), ("close", 1)])
def test_a_crash_while_a_bad_promotion_is_undone_is_undone_too(
    served: PromotionSite, toys: list[ModelPackage], step: str, time: int
) -> None:
    a, b, _ = toys
    served.smoke.passes = False
    calls: list[str] = []

    def crash() -> None:
        calls.append(step)
        if len(calls) == time:
            raise Crash

    with pytest.raises(Crash):
        crashing_promoter(served, step, by=crash).promote(b, promoting_verdict(b, a))
    served.clock.forward(LEASE_OVER)
    served.promoter().repair("toy")
    assert served.states() == ["live", "reverted"]
    served.assert_settled(a)


def test_a_crash_while_the_pointer_of_a_bad_first_model_is_removed_is_undone_too(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    site.smoke.passes = False
    crash_at(site, "unpoint", toys[0], None)
    assert site.states() == ["in flight"]
    site.clock.forward(LEASE_OVER)
    site.promoter().repair("toy")
    site.assert_settled(None)


@pytest.mark.parametrize("step", STEPS[1:])  # a rollback adds nothing
def test_a_rollback_crashes_as_safely(
    served: PromotionSite, toys: list[ModelPackage], step: str
) -> None:
    a, b, _ = toys
    served.promoter().promote(b, promoting_verdict(b, a))
    with pytest.raises(Crash):
        crashing_promoter(served, step).rollback("toy")
    served.clock.forward(LEASE_OVER)
    served.promoter().repair("toy")
    served.assert_settled(a if step in FINISHED else b)


def test_an_exception_out_of_the_smoke_test_leaves_a_promotion_that_repair_closes(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys

    def broken(_: ModelPackage) -> Any:  # noqa: ANN401
        raise RuntimeError

    with pytest.raises(RuntimeError):
        served.promoter(smoke=broken).promote(b, promoting_verdict(b, a))
    served.clock.forward(LEASE_OVER)
    served.promoter(smoke=broken).repair("toy")
    assert served.states() == ["live", "reverted"]
    served.assert_settled(a)


def test_a_promotion_in_flight_is_left_alone_within_its_lease(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, c = toys
    crash_at(served, "point", b, a)
    served.clock.forward(LEASE_OVER - 2)
    for act in (
        lambda: served.promoter().repair("toy"),
        lambda: served.promoter().promote(c, promoting_verdict(c, a)),
        lambda: served.promoter().rollback("toy"),
    ):
        with pytest.raises(InFlight):
            act()
    assert served.states() == ["live", "in flight"]
    assert served.pointed_digest() == b.digest


def test_force_takes_a_promotion_over_within_its_lease(
    served: PromotionSite, toys: list[ModelPackage]
) -> None:
    crash_at(served, "point", toys[1], toys[0])
    served.promoter().repair("toy", force=True)
    served.assert_settled(toys[1])
