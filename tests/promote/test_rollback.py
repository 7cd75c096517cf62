"""The way back is one more promotion."""

import pytest
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import flip_bit

from promote import PromoteError, SmokeFailed
from registry import PackageError
from registry.package import ModelPackage


@pytest.fixture
def history(site: PromotionSite, toys: list[ModelPackage]) -> PromotionSite:
    """Promotions 1 to 3 brought a, b and c into production."""
    over = None
    for package in toys:
        site.promoter().promote(
            package, promoting_verdict(package, over, reasons=(f"better: {package.path.name}",))
        )
        over = package
    return site


def test_a_rollback_returns_to_what_served_before(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    entry = history.promoter(actor="anna").rollback("toy", reason="c is slow")
    promotion = entry.promotion
    assert (promotion.number, promotion.kind, promotion.previous) == (4, "rollback", 3)
    assert (promotion.reasons, promotion.actor, promotion.verdict) == (("c is slow",), "anna", "")
    assert history.states() == ["live"] * 4
    history.assert_settled(toys[1])


def test_a_rollback_takes_over_what_is_known_of_the_package(history: PromotionSite) -> None:
    second = history.ledger.history("toy")[1].promotion
    promotion = history.promoter().rollback("toy").promotion
    for field in ("sha256", "experiment", "trial", "fingerprint", "metric", "score"):
        assert getattr(promotion, field) == getattr(second, field)
    assert promotion.reasons == ("back to promotion 2",)


def test_a_rollback_to_a_number_returns_to_that_promotion(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    history.promoter().rollback("toy", to=1)
    history.assert_settled(toys[0])


def test_a_rollback_of_a_rollback_returns_to_where_it_came_from(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    history.promoter().rollback("toy")
    history.promoter().rollback("toy")
    history.assert_settled(toys[2])
    assert [entry.promotion.previous for entry in history.ledger.history("toy")] == [
        None,
        1,
        2,
        3,
        4,
    ]


def test_after_a_rollback_the_gate_judges_against_the_package_that_serves(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    history.promoter().rollback("toy", to=1)
    history.promoter().promote(toys[2], promoting_verdict(toys[2], toys[0]))
    history.assert_settled(toys[2])


def test_the_target_of_a_rollback_can_be_asked_for_without_going_there(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    assert history.promoter().rollback_target("toy").promotion.number == 2
    assert history.promoter().rollback_target("toy", to=1).promotion.sha256 == toys[0].digest
    history.assert_settled(toys[2])


@pytest.mark.parametrize("to", [3, 7, 99])
def test_a_rollback_to_nowhere_names_the_choices(
    history: PromotionSite, toys: list[ModelPackage], to: int
) -> None:
    with pytest.raises(PromoteError, match=f"back to promotion {to}") as raised:
        history.promoter().rollback("toy", to=to)
    assert raised.value.hint == "choose with --to from: 1, 2"
    assert history.states() == ["live"] * 3
    history.assert_settled(toys[2])


def test_a_rollback_to_a_promotion_that_was_reverted_is_refused(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    history.smoke.passes = False
    with pytest.raises(SmokeFailed):
        history.promoter().promote(toys[0], promoting_verdict(toys[0], toys[2]))
    history.smoke.passes = True
    with pytest.raises(PromoteError, match="promotion 4") as raised:
        history.promoter().rollback("toy", to=4)
    assert raised.value.hint == "choose with --to from: 1, 2"


def test_the_first_promotion_has_nothing_to_roll_back_to(
    site: PromotionSite, toys: list[ModelPackage]
) -> None:
    site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
    with pytest.raises(PromoteError, match="back") as raised:
        site.promoter().rollback("toy")
    assert raised.value.hint == "`tunegate history` shows what was"
    site.assert_settled(toys[0])


def test_nothing_in_production_cannot_be_rolled_back(site: PromotionSite) -> None:
    with pytest.raises(PromoteError, match="nothing of toy is in production"):
        site.promoter().rollback("toy")


def test_a_rollback_to_a_damaged_package_changes_nothing(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    flip_bit(history.store.model(toys[1].digest))
    with pytest.raises(PackageError):
        history.promoter().rollback("toy")
    assert history.states() == ["live"] * 3
    history.assert_settled(toys[2])


def test_a_rollback_that_fails_its_smoke_test_is_reverted_like_any_promotion(
    history: PromotionSite, toys: list[ModelPackage]
) -> None:
    history.smoke.passes = False
    with pytest.raises(SmokeFailed):
        history.promoter().rollback("toy")
    assert history.states()[-1] == "reverted"
    history.assert_settled(toys[2])
