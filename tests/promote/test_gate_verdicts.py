"""Who gets in: real forests against real forests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.promotion.gate_cases import (
    GateCase,
    check_detail,
    failed_checks,
)
from support.registry import toy_data as toy

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import Approval, Verdict
from tunegate.promotion.evaluation import make_evaluation


def test_a_truly_better_model_gets_in(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert (verdict.verdict, verdict.kind) == ("promote", "promotion")
    assert verdict.reasons == ("better than the champion by both keys",)
    assert verdict.recipe
    assert verdict.holdout
    assert verdict.recipe.p_better >= 0.9
    assert verdict.holdout.p_better >= 0.2
    assert verdict.recipe.rows == len(homes.data.training.y)
    assert verdict.holdout.rows == len(homes.data.holdout.y)


def test_a_verdict_names_both_sides_and_what_they_were_judged_on(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert verdict.candidate
    assert verdict.champion
    assert verdict.candidate.sha256 == homes.good.digest
    assert verdict.champion.sha256 == homes.poor.digest
    assert (verdict.candidate.experiment, verdict.candidate.trial) == ("homes", "homes-good")
    assert verdict.candidate.search_score == homes.good.manifest.cross_validation.score
    assert (verdict.model, verdict.metric) == ("homes", "mse")
    assert (verdict.fingerprint, verdict.holdout_digest) == (
        homes.data.fingerprint,
        homes.data.holdout_digest,
    )


def test_checks_that_pass_say_what_they_have_seen(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    found = {name: check_detail(verdict, name) for name in ("task", "schema", "fingerprint")}
    assert found == {
        "task": "the champion's task",
        "schema": "the champion's columns",
        "fingerprint": f"champion trained on {homes.data.fingerprint[:12]}",
    }
    assert "that it knows" not in check_detail(verdict, "key 1, recipes on fresh folds")


def test_the_holdout_numbers_are_those_of_the_fitted_packages_now(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    part = homes.data.holdout
    losses = [
        float(np.mean((part.y - p.predict(part.table)[:, 0]) ** 2))
        for p in (homes.good, homes.poor)
    ]
    assert verdict.holdout
    assert [verdict.holdout.candidate, verdict.holdout.champion] == pytest.approx(losses)


def test_both_packages_were_verified_and_the_verdict_says_which(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    for role, package in (("candidate", homes.good), ("champion", homes.poor)):
        expected = f"package {package.digest[:12]} verified"
        assert check_detail(verdict, f"{role} integrity") == expected


def test_a_threshold_that_is_just_met_is_met(homes: GateCase) -> None:
    seen = homes.judge(homes.good, homes.poor)
    assert seen.recipe
    assert seen.holdout
    just = {"p_recipe": seen.recipe.p_better, "p_holdout": seen.holdout.p_better}
    assert homes.judge(homes.good, homes.poor, **just).verdict == "promote"


def test_of_a_first_model_nobody_reads_about_a_champion(homes: GateCase) -> None:
    detail = check_detail(homes.judge(homes.good, None), "holdout")
    assert detail == f"{len(homes.data.holdout.y)} holdout rows to judge by"
    detail = check_detail(homes.judge(homes.good, homes.poor), "holdout")
    assert detail.endswith("the champion was trained on none of them")


def test_a_worse_model_is_kept_out_and_both_keys_say_so(homes: GateCase) -> None:
    verdict = homes.judge(homes.poor, homes.good)
    assert verdict.verdict == "keep"
    assert {"key 1, recipes on fresh folds", "key 2, packages on the holdout"} <= failed_checks(
        verdict
    )
    assert len(verdict.reasons) == len(failed_checks(verdict))


def test_equal_models_are_kept_out_where_the_plain_rule_tosses_a_coin(
    homes: GateCase, tmp_path: Path
) -> None:
    twins = [
        toy.package(homes.data, tmp_path / f"twin-{seed}", toy.GOOD, seed=seed)
        for seed in range(1, 9)
    ]
    careful = [homes.judge(twin, homes.good).verdict for twin in twins]
    plain = [homes.judge(twin, homes.good, mode="strict-lower").verdict for twin in twins]
    assert set(careful) <= {"keep", "promote"}
    assert careful.count("promote") <= 1
    assert plain.count("promote") >= 2


def test_the_champions_own_package_is_kept(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.good)
    assert verdict.verdict == "keep"
    assert failed_checks(verdict) == {"novelty"}
    assert "the champion's own package" in check_detail(verdict, "novelty")
    better = homes.judge(homes.good, homes.poor)
    assert "another package" in check_detail(better, "novelty")


def test_a_sound_first_model_is_promoted_as_first(homes: GateCase, tmp_path: Path) -> None:
    default = toy.package(homes.data, tmp_path / "default", {})
    verdict = homes.judge(default, None, repeats=1)
    assert (verdict.verdict, verdict.kind) == ("promote", "first")
    assert verdict.reasons == ("first model: nothing was in production",)
    assert verdict.champion is None
    assert verdict.holdout
    assert (
        verdict.holdout.candidate < verdict.holdout.champion
    )  # the champion's side is the trivial answer


def test_a_first_model_with_a_recipe_worse_than_the_librarys_defaults_is_refused(
    homes: GateCase,
) -> None:
    verdict = homes.judge(homes.poor, None, repeats=1)
    assert verdict.verdict == "refuse"
    assert failed_checks(verdict) == {"default recipe"}
    assert verdict.recipe
    just = homes.judge(homes.poor, None, repeats=1, p_holdout=verdict.recipe.p_better)
    assert "default recipe" not in failed_checks(just)


@pytest.mark.parametrize("first", [True, False])
def test_a_model_no_better_than_the_mean_is_refused(tmp_path: Path, first: bool) -> None:  # noqa: FBT001
    frame = toy.homes()
    frame["price"] = np.random.default_rng(5).normal(0, 1, len(frame)).round(3)  # nothing to learn
    data = toy.dataset(tmp_path / "noise", frame)
    candidate, champion = (
        toy.package(data, tmp_path / name, toy.GOOD, seed=i) for i, name in enumerate("ab")
    )
    verdict = judge(
        GateInput(candidate, None if first else champion, make_evaluation(data, cpus=1)),
        GatePolicy(repeats=1),
    )
    assert verdict.verdict == "refuse"
    assert "trivial baseline" in failed_checks(verdict)


def rare_kinds() -> pd.DataFrame:
    """Return 500 flowers, of which one in twenty is of the rare kind."""
    rng = np.random.default_rng(1)
    width = rng.normal(size=500)
    rare = rng.random(500) < 1 / (1 + np.exp(5.5 - 3 * width))
    kind = np.where(rare, "rare", "usual")
    return pd.DataFrame({"width": width, "length": rng.normal(size=500), "kind": kind})


def test_a_few_rows_of_a_rare_class_do_not_make_a_sound_model_look_like_none(
    tmp_path: Path,
) -> None:
    data = toy.dataset(tmp_path / "flowers", rare_kinds(), name="flowers")
    candidate = toy.package(data, tmp_path / "candidate", toy.GOOD)
    verdict = judge(
        GateInput(candidate, None, make_evaluation(data, cpus=1)), GatePolicy(repeats=1)
    )
    assert verdict.holdout
    assert verdict.holdout.p_better < 0.95  # four rows of the class: the holdout alone cannot tell
    assert "trivial baseline" not in failed_checks(verdict)


def test_a_model_that_is_none_on_the_holdout_is_refused_whatever_it_was_before(
    homes: GateCase,
) -> None:
    view = make_evaluation(homes.data, cpus=1)
    other = replace(view, y=np.random.default_rng(0).permutation(view.y))
    verdict = judge(GateInput(homes.good, None, other), GatePolicy(repeats=1))
    assert "trivial baseline" in failed_checks(verdict)
    assert "left out 1.000" in check_detail(verdict, "trivial baseline")


def test_strict_lower_lets_a_lower_loss_in_and_says_what_it_is(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor, mode="strict-lower")
    assert (verdict.verdict, verdict.mode) == ("promote", "strict-lower")
    assert verdict.reasons == ("lower holdout loss than the champion (strict-lower)",)
    assert "equal models win half of the time" in check_detail(verdict, "strict-lower")
    assert verdict.recipe is None


def test_strict_lower_keeps_a_higher_and_an_equal_loss_out(homes: GateCase, tmp_path: Path) -> None:
    assert "strict-lower" in failed_checks(homes.judge(homes.poor, homes.good, mode="strict-lower"))
    again = toy.package(
        homes.data, tmp_path / "again", toy.GOOD
    )  # the same trees under another trial's name
    verdict = homes.judge(again, homes.good, mode="strict-lower")
    assert again.digest != homes.good.digest
    assert verdict.verdict == "keep"
    assert failed_checks(verdict) == {"strict-lower"}


def test_a_promotion_waits_where_the_policy_asks_for_approval(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor, approval="manual")
    assert verdict.verdict == "hold"
    assert verdict.reasons == ("approval: waits for `tunegate approve`",)


def test_an_approval_is_in_the_verdict_and_lets_it_pass(homes: GateCase) -> None:
    approval = Approval(by="ada", reason="seen for a week")
    given = GateInput(homes.good, homes.poor, homes.view, approval=approval)
    for policy in (GatePolicy(approval="manual"), GatePolicy()):
        verdict = judge(given, policy)
        assert (verdict.verdict, verdict.approval) == ("promote", approval)
        assert verdict.reasons[-1] == "approved by ada: seen for a week"
        assert Verdict.parse(verdict.canonical()) == verdict


def test_an_approval_promotes_nothing_that_is_kept_out(homes: GateCase) -> None:
    given = GateInput(homes.poor, homes.good, homes.view, approval=Approval(by="ada"))
    verdict = judge(given, GatePolicy(approval="manual"))
    assert (verdict.verdict, verdict.approval) == ("keep", None)


def test_what_is_kept_out_does_not_wait_for_approval(homes: GateCase) -> None:
    verdict = homes.judge(homes.poor, homes.good, approval="manual")
    assert verdict.verdict == "keep"
    assert "approval" not in failed_checks(verdict)


def test_classifiers_are_judged_by_the_same_keys(flowers: GateCase) -> None:
    better = flowers.judge(flowers.good, flowers.poor, max_error_ratio=10)
    assert (better.verdict, better.metric) == ("promote", flowers.data.spec.metric)
    assert flowers.judge(flowers.poor, flowers.good, max_error_ratio=10).verdict in {
        "keep",
        "refuse",
    }
    assert flowers.judge(flowers.good, flowers.good).verdict == "keep"


def test_a_first_classifier_is_compared_with_the_class_shares(flowers: GateCase) -> None:
    verdict = flowers.judge(flowers.good, None, repeats=1)
    assert (verdict.verdict, verdict.kind) == ("promote", "first")
    assert verdict.holdout
    assert verdict.holdout.candidate < verdict.holdout.champion
