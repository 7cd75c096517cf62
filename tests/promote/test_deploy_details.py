"""deploy_details.json: its form, and what stands in it after each decision."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from support.promotion.gate_cases import GateCase
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import damaged, tiny, variant

from promote.deploy_details import DeployDetails, deploy_details
from promote.verdict import Verdict
from registry import champion
from registry.errors import PackageError
from registry.package import ModelPackage, load_package

ROOT = Path(__file__).parents[2]
NOW = datetime(2030, 5, 1, 12, 30, tzinfo=UTC)
formats = FormatChecker()


@formats.checks("date-time", raises=ValueError)
def _is_date_time(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def validate(document: Any) -> None:  # noqa: ANN401 - JSON
    schema = json.loads((ROOT / "promote" / "deploy_details.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=formats).validate(document)


def decide(site: PromotionSite, package: ModelPackage | None, verdict: Verdict) -> dict[str, Any]:
    """Promote where the verdict says so, and return the valid details."""
    before = champion(site.ledger.history(site.model))
    if verdict.verdict == "promote" and package:
        site.promoter().promote(package, verdict)
    after = champion(site.ledger.history(site.model))
    details = deploy_details(verdict, before=before, after=after, store_uri="pvc://models", now=NOW)
    document: dict[str, Any] = json.loads(details.to_json())
    validate(document)
    return document


@pytest.fixture
def site(tmp_path: Path) -> PromotionSite:
    return PromotionSite(tmp_path, model="homes")


@pytest.fixture
def in_production(homes: GateCase, site: PromotionSite) -> PromotionSite:
    site.promoter().promote(homes.poor, promoting_verdict(homes.poor, None))
    return site


def test_the_committed_file_is_valid_and_says_that_nothing_was_promoted() -> None:
    document = json.loads((ROOT / "deploy_details.json").read_text())
    validate(document)
    assert DeployDetails.checked(document).prod_model is None


def test_a_first_promotion_has_no_old_model(homes: GateCase, site: PromotionSite) -> None:
    details = decide(site, homes.good, promoting_verdict(homes.good, None))
    assert details["old_model"] is None
    assert details["new_model"]["version"] == "promotion-0001"
    assert details["new_model"]["uri"] == "pvc://models/trials/homes-good"
    assert details["prod_model"]["uri"] == f"pvc://models/models/{homes.good.digest}"
    assert (details["experiment"], details["trial"], details["sha256"]) == (
        "homes",
        "homes-good",
        homes.good.digest,
    )
    assert datetime.fromisoformat(details["decided_at"]) == NOW


def test_a_promotion_names_the_old_the_new_and_what_serves(
    homes: GateCase, in_production: PromotionSite
) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    details = decide(in_production, homes.good, verdict)
    assert verdict.recipe
    assert details["old_model"]["version"] == "promotion-0001"
    assert details["new_model"]["mse"] == details["prod_model"]["mse"] == verdict.recipe.candidate
    assert details["new_model"]["version"] == details["prod_model"]["version"] == "promotion-0002"
    assert (details["verdict"], details["reasons"]) == (
        "promote",
        ["better than the champion by both keys"],
    )
    assert details["fingerprint"] == homes.data.fingerprint


def test_the_holdouts_number_is_not_published(
    homes: GateCase, in_production: PromotionSite
) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert verdict.holdout
    assert str(verdict.holdout.candidate) not in json.dumps(
        decide(in_production, homes.good, verdict)
    )


def test_when_the_champion_is_kept_it_still_serves(homes: GateCase, site: PromotionSite) -> None:
    site.promoter().promote(homes.good, promoting_verdict(homes.good, None))
    details = decide(site, homes.poor, homes.judge(homes.poor, homes.good))
    assert details["verdict"] == "keep"
    assert details["old_model"] == details["prod_model"]
    assert details["prod_model"]["version"] == "promotion-0001"
    assert details["new_model"]["version"] == "homes-poor"


def test_a_refused_candidate_that_cannot_be_read_is_null(
    homes: GateCase, in_production: PromotionSite, tmp_path: Path
) -> None:
    with pytest.raises(PackageError) as raised:
        load_package(damaged(homes.good, tmp_path / "bad"))
    details = decide(in_production, None, homes.judge(raised.value, homes.poor))
    assert details["verdict"] == "refuse"
    assert details["new_model"] is details["sha256"] is details["trial"] is None
    assert details["prod_model"]["version"] == "promotion-0001"


def test_a_candidate_beside_a_damaged_champion_is_still_described(
    homes: GateCase, site: PromotionSite
) -> None:
    verdict = homes.judge(homes.good, PackageError("damaged"))
    details = decide(site, homes.good, verdict)
    assert details["verdict"] == "refuse"
    assert details["new_model"]["mse"] == homes.good.manifest.cross_validation.score


def test_strict_lower_publishes_the_searchs_cross_validated_number(
    homes: GateCase, in_production: PromotionSite
) -> None:
    details = decide(
        in_production, homes.good, homes.judge(homes.good, homes.poor, mode="strict-lower")
    )
    score = homes.good.manifest.cross_validation.score
    assert details["new_model"]["mse"] == details["prod_model"]["mse"] == score


def test_accuracy_is_published_as_a_rate_not_as_the_loss_it_is_compared_by(
    flowers: GateCase, tmp_path: Path
) -> None:
    site = PromotionSite(tmp_path, model="flowers")
    verdict = flowers.judge(flowers.good, None, repeats=1)
    details = decide(site, flowers.good, verdict)
    metric = flowers.data.spec.metric
    assert verdict.recipe
    expected = 1 - verdict.recipe.candidate if metric == "accuracy" else verdict.recipe.candidate
    assert details["new_model"][metric] == details["prod_model"][metric] == pytest.approx(expected)
    assert details["prod_model"][metric] == pytest.approx(
        flowers.good.manifest.cross_validation.score, abs=0.1
    )


def test_a_model_trained_by_hand_has_no_trial_and_is_valid_all_the_same(tmp_path: Path) -> None:
    package = variant(tiny(tmp_path / "a"), tmp_path / "b", provenance={})
    details = decide(PromotionSite(tmp_path), package, promoting_verdict(package, None))
    assert details["trial"] == ""


@pytest.mark.parametrize(
    "change",
    [
        {"decided_at": "yesterday"},
        {"decided_at": "2030-05-01T12:30:00"},
        {"sha256": "abc"},
        {"verdict": "maybe"},
        {"extra": 1},
        {"old_model": {"version": "promotion-0001", "uri": "pvc://a"}},
        {"old_model": {"version": "promotion-0001", "uri": "pvc://a", "mse": "low"}},
        {"old_model": {"version": "promotion-0001", "uri": "/somewhere", "mse": 1}},
        {"reasons": None},
    ],
)
def test_the_schema_refuses_what_the_file_must_not_be(
    homes: GateCase, site: PromotionSite, change: dict[str, Any]
) -> None:
    good = decide(site, homes.good, promoting_verdict(homes.good, None))
    with pytest.raises(ValidationError):
        validate({**good, **change})
