"""A decision first settles what an earlier one left, and is about the settings' model."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.cli import tunegate
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry import toy_data as toy
from support.registry.package_variants import tiny

from promote import GatePolicy
from promote.challenges import check_hold, record_challenge
from promote.errors import PromoteError
from promote.finalists import Contender
from promote.verdict import Approval
from registry import Pointer
from registry.errors import LedgerError, PackageError
from registry.sqlite import SqliteLedger
from tunegate.errors import UsageError
from tunegate.promotion.decision import approve_held, decide_promotion, judge_candidate
from tunegate.report.decision import history_table
from tunegate.settings import Settings
from tunegate.study.candidacy import Candidacy
from tunegate.workspace import Workspace

RECIPES = {
    "poor": toy.POOR,
    "weak": {"n_estimators": 12, "min_samples_leaf": 60},
    "good": toy.GOOD,
}


def workspace(root: Path, **settings: str) -> Workspace:
    return Workspace(
        Settings(state=root, store=root / "store", ledger=str(root / "ledger.db"), **settings)
    )


def test_what_is_settled_before_a_decision_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Or the log of a Job's next pod would not show that it finished what the last one began."""
    site = PromotionSite(tmp_path)
    toy = tiny(tmp_path / "toy")
    site.promoter(smoke=None).promote(toy, promoting_verdict(toy, None))
    first = site.ledger.history("toy")[0].promotion
    site.ledger.create(first.replace(number=2, previous=1, owner="job:7"))
    decision = decide_promotion(
        workspace(tmp_path, model="toy", owner="job:7"), [PackageError("damaged")], GatePolicy()
    )
    assert decision.verdict.verdict == "refuse"
    assert "promotion 2 of toy was left in flight: now reverted" in capsys.readouterr().err


def test_a_refusal_is_kept_in_the_ledger_once_with_its_evidence(tmp_path: Path) -> None:
    opened = workspace(tmp_path, model="toy", actor="ada")
    for _ in range(2):
        decision = decide_promotion(opened, [PackageError("damaged")], GatePolicy())
    (challenge,) = opened.challenges()
    assert (challenge.decision, challenge.actor, challenge.champion) == ("refuse", "ada", None)
    assert challenge.reasons == decision.verdict.reasons
    assert opened.kept_verdict(challenge.verdict) == decision.verdict
    assert list(opened.history()) == []


def test_challenges_on_the_same_rows_are_counted_in_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same question keeps its number; whoever only judged has seen the holdout's answer too."""
    data = toy.dataset(tmp_path / "data", toy.homes())
    site = PromotionSite(tmp_path, model="homes")
    models = [toy.package(data, tmp_path / name, recipe) for name, recipe in RECIPES.items()]
    poor, weak, good = models
    site.promoter().promote(poor, promoting_verdict(poor, None))
    settings = {"model": "homes", "data": str(tmp_path / "data" / "spec.toml")}
    opened = workspace(tmp_path, **settings)
    look = Candidacy(opened, [Contender.of(good)]).judge()
    numbers = []
    for each in (weak, weak, good):
        verdict = decide_promotion(opened, [Contender.of(each)], GatePolicy()).verdict
        assert verdict.challenge
        numbers.append((verdict.verdict, verdict.challenge.number))
    assert numbers == [("keep", 2), ("keep", 2), ("promote", 1)]
    assert verdict == look
    found = opened.challenges()
    assert [(each.decision, each.count) for each in found] == [("promote", 1), ("keep", 2)]
    assert found[0].rows == found[1].rows
    assert found[0].question != found[1].question
    site.assert_settled(good)
    table = history_table(opened.history(), found)
    assert table.index("promotion 2, live") < table.index("challenge c2, keep")
    assert "challenge c1" not in table  # it became promotion 2
    monkeypatch.setattr(SqliteLedger, "record", _refuse_to_write)
    assert Candidacy(opened, [Contender.of(weak)]).judge().verdict == "keep"
    assert "this look at the holdout is not counted: read only" in capsys.readouterr().err


def _refuse_to_write(*_: object) -> None:
    raise LedgerError("read only")


def test_a_hold_is_approved_by_somebody_for_a_reason_until_it_ends(tmp_path: Path) -> None:
    data = toy.dataset(tmp_path / "data", toy.homes())
    site = PromotionSite(tmp_path, model="homes")
    poor = toy.package(data, tmp_path / "poor", toy.POOR)
    good = toy.package(data, site.store.trial("good"), toy.GOOD)
    site.promoter().promote(poor, promoting_verdict(poor, None))
    settings = {"model": "homes", "data": str(tmp_path / "data" / "spec.toml")}
    manual = GatePolicy(approval="manual", approval_days=2)
    held = decide_promotion(workspace(tmp_path, **settings), [Contender.of(good)], manual).verdict
    (hold,) = site.ledger.challenges("homes")
    assert (held.verdict, hold.decision) == ("hold", "hold")
    assert hold.until == hold.decided_at + timedelta(days=2)
    check_hold([hold], held, hold.until - timedelta(seconds=1))
    with pytest.raises(PromoteError, match="challenge c1 waited for approval until"):
        check_hold([hold], held, hold.until)
    later = site.promoter(clock=lambda: hold.until)  # the same verdict waits anew
    again = record_challenge(later, "homes", held, None)
    assert again.until == hold.until + timedelta(days=2)
    assert record_challenge(later, "homes", held, None) == again
    check_hold([hold, again], held, hold.until)
    opened = workspace(tmp_path, **settings, approved_by="ada", approval_reason="seen")
    decision = approve_held(opened)
    assert decision.verdict.approval == Approval(by="ada", reason="seen")
    assert decision.verdict.challenge == held.challenge  # the same question
    assert decision.after
    assert decision.after.promotion.reasons[-1] == "approved by ada: seen"
    assert site.ledger.challenges("homes")[2].decision == "promote"
    with pytest.raises(PromoteError, match="nothing waits for approval"):
        approve_held(opened)


def test_a_candidate_of_another_model_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    """It would be promoted as a model that no server follows."""
    with pytest.raises(UsageError, match="a package of toy, not of boston"):
        judge_candidate(
            workspace(tmp_path, model="boston"),
            [Contender.of(tiny(tmp_path / "toy"))],
            GatePolicy(),
        )


def test_a_rollback_says_what_it_has_replaced_though_that_was_in_flight(tmp_path: Path) -> None:
    """What a crashed promotion left counts as the model before, once it was finished."""
    site = PromotionSite(tmp_path)
    first = tiny(tmp_path / "first")
    second = tiny(tmp_path / "second", low=2.0)
    site.promoter(smoke=None).promote(first, promoting_verdict(first, None))
    site.store.add(second)
    entry = site.ledger.history("toy")[0].promotion
    changes = {
        "number": 2,
        "previous": 1,
        "sha256": second.digest,
        "created_at": datetime(2020, 1, 1, tzinfo=UTC),
    }
    site.ledger.create(entry.replace(**changes))
    site.store.point(Pointer(model="toy", number=2, sha256=second.digest))
    places = [
        f"--state={tmp_path}",
        f"--store={tmp_path / 'store'}",
        f"--ledger={tmp_path / 'ledger.db'}",
    ]
    done = tunegate("rollback", "--model=toy", "--to=1", *places)
    assert done.returncode == 0, done.stderr
    details = json.loads((tmp_path / "deploy_details.json").read_bytes())
    versions = {name: details[name]["version"] for name in ("old_model", "prod_model")}
    assert versions == {"old_model": "promotion-0002", "prod_model": "promotion-0003"}


def test_a_rollback_that_is_only_tried_names_its_target_as_json(tmp_path: Path) -> None:
    site = PromotionSite(tmp_path)
    first = tiny(tmp_path / "first")
    second = tiny(tmp_path / "second", low=2.0)
    site.promoter().promote(first, promoting_verdict(first, None))
    site.promoter().promote(second, promoting_verdict(second, first))
    places = [
        f"--state={tmp_path}",
        f"--store={tmp_path / 'store'}",
        f"--ledger={tmp_path / 'ledger.db'}",
    ]
    done = tunegate("rollback", "--model=toy", "--dry-run", "--json", *places)
    assert json.loads(done.stdout)["promotion"]["sha256"] == first.digest
    site.assert_settled(second)


@pytest.mark.parametrize("content", [b"{", b'{"verdict": "promote"}', b"\xff"])
def test_a_damaged_verdict_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "verdicts").mkdir()
    (tmp_path / "verdicts" / "latest.json").write_bytes(content)
    done = tunegate("approve", "--state", tmp_path)
    assert done.returncode == 2
    assert "latest.json: not a readable verdict" in done.stderr
    assert "tunegate gate" in done.stderr
