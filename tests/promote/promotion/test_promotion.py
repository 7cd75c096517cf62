"""The five steps of a promotion, and what stops it."""

from pathlib import Path
from typing import Any

import pytest
from support.promotion.faults import intercepted_promoter
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import damaged, tiny

from promote import PromoteError, SmokeFailed
from registry import Conflict, InFlight, PackageError
from registry.package import ModelPackage, load_package


def test_a_first_promotion_puts_the_package_into_production(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    entry = site.promoter(actor="anna").promote(toys[0], promoting_verdict(toys[0], None))
    assert (entry.promotion.number, entry.state, entry.promotion.kind) == (1, "live", "first")
    assert entry.promotion.previous is None
    site.assert_settled(toys[0])


def test_the_steps_come_in_their_order(site: PromotionSite, toys: list[ModelPackage]) -> None:
    seen: list[str] = []

    def note(name: str, effect: Any) -> Any:  # noqa: ANN401
        seen.append(name)
        return effect()

    intercepted_promoter(site, note).promote(toys[0], promoting_verdict(toys[0], None))
    writes = [name for name in seen if name in {"add", "create", "point", "smoke", "close"}]
    assert writes == ["add", "create", "point", "smoke", "close"]


def test_a_promotion_records_what_the_gate_saw(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    verdict = promoting_verdict(b, a, reasons=("one", "two"))
    entry = site.promoter(actor="anna").promote(b, verdict)
    promotion = entry.promotion
    assert (promotion.number, promotion.previous, promotion.kind) == (2, 1, "promotion")
    assert (promotion.verdict, promotion.reasons) == (verdict.digest(), ("one", "two"))
    assert (promotion.experiment, promotion.trial, promotion.actor) == ("toy", "toy-b", "anna")
    assert (promotion.metric, promotion.score) == ("mse", 1.5)
    assert promotion.fingerprint == b.manifest.fingerprint
    assert promotion.created_at == site.clock.now
    assert site.ledger.history("toy")[-1] == entry


def test_without_a_service_nothing_is_tested_and_the_record_says_so(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    entry = site.promoter(smoke=None).promote(toys[0], promoting_verdict(toys[0], None))
    assert entry.outcome
    assert entry.outcome.note == "not smoke-tested: no service named"
    site.assert_settled(toys[0])


def test_the_user_is_told_what_happens(site: PromotionSite, toys: list[ModelPackage]) -> None:
    told: list[str] = []
    site.promoter(notify=told.append).promote(toys[0], promoting_verdict(toys[0], None))
    *steps, last = told
    assert steps == [
        "promotion 1 of toy created in the ledger",
        "the pointer of toy names promotion 1",
    ]
    assert last.startswith("promotion 1 of toy is live: ")


@pytest.mark.parametrize("decision", ["keep", "hold", "refuse"])
def test_what_the_gate_did_not_pass_is_not_promoted(
    site: PromotionSite, toys: list[ModelPackage], decision: str
) -> None:
    with pytest.raises(PromoteError, match="does not promote"):
        site.promoter().promote(toys[0], promoting_verdict(toys[0], None, verdict=decision))
    site.assert_settled(None)


def test_a_verdict_about_another_package_promotes_nothing(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    with pytest.raises(PromoteError, match="does not promote"):
        site.promoter().promote(toys[0], promoting_verdict(toys[1], None))
    assert site.states() == []


def test_a_champion_that_changed_since_the_gate_is_a_conflict(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, c = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    site.promoter().promote(b, promoting_verdict(b, a))
    for stale in (promoting_verdict(c, a), promoting_verdict(c, None)):
        with pytest.raises(Conflict, match="changed since the gate") as raised:
            site.promoter().promote(c, stale)
        assert "gate again" in raised.value.hint
    site.assert_settled(b)


def test_a_package_damaged_since_the_gate_changes_nothing(
    site: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    fresh = tiny(tmp_path / "fresh", low=9.0)
    (fresh.path / "model.npz").write_bytes(
        (damaged(fresh, tmp_path / "bad") / "model.npz").read_bytes()
    )
    with pytest.raises(PackageError):
        site.promoter().promote(fresh, promoting_verdict(fresh, a))
    assert site.states() == ["live"]
    site.assert_settled(a)
    site.promoter().promote(b, promoting_verdict(b, a))
    site.assert_settled(b)


def test_a_failed_smoke_test_brings_the_former_champion_back(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site.promoter().promote(a, promoting_verdict(a, None))
    site.smoke.passes = False
    with pytest.raises(SmokeFailed, match="golden predictions: as set") as raised:
        site.promoter().promote(b, promoting_verdict(b, a))
    assert "former champion serves" in raised.value.hint
    assert site.states() == ["live", "reverted"]
    assert site.smoke.asked[-1] == b.digest
    site.assert_settled(a)


def test_a_first_model_that_fails_its_smoke_test_leaves_no_pointer(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    site.smoke.passes = False
    with pytest.raises(SmokeFailed):
        site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    assert site.states() == ["reverted"]
    assert not site.store.pointer_path("toy").exists()
    site.assert_settled(None)


def test_a_reverted_promotion_may_be_tried_again_under_the_next_number(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    site.smoke.passes = False
    with pytest.raises(SmokeFailed):
        site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    site.smoke.passes = True
    entry = site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    assert (entry.promotion.number, entry.promotion.previous) == (2, None)
    site.assert_settled(toys[0])


def test_models_do_not_get_in_each_others_way(
    site: PromotionSite, toys: list[ModelPackage], tmp_path: Path
) -> None:
    other = PromotionSite(site.root, model="other")
    package = tiny(tmp_path / "other", name="other")
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    entry = other.promoter().promote(package, promoting_verdict(package, None))
    assert entry.promotion.number == 1
    site.assert_settled(toys[0])
    other.assert_settled(package)


def test_a_promoted_package_does_not_need_the_trials_folder_any_more(
    site: PromotionSite, tmp_path: Path
) -> None:
    package = tiny(site.store.trial("toy-x"), low=7.0)
    site.promoter().promote(package, promoting_verdict(package, None))
    site.store.prune_trials(keep=())
    assert not package.path.exists()
    site.assert_settled(load_package(site.store.model(package.digest)))


def test_a_promotion_under_way_stops_the_next_one(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    """The service is being tested when somebody else comes."""
    a, b, _ = toys

    def intrude(_: ModelPackage) -> Any:  # noqa: ANN401
        with pytest.raises(
            InFlight, match=r"^promotion 1 of toy is in flight \(by \S+\)\nhint"
        ) as raised:
            site.promoter().promote(b, promoting_verdict(b, None))
        assert "repair --force" in raised.value.hint
        return site.smoke(a)

    site.promoter(smoke=intrude).promote(a, promoting_verdict(a, None))
    assert site.states() == ["live"]
    site.assert_settled(a)
