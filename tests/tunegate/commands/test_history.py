"""`tunegate history`: what was in production at a time, and why."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.promotion.promotions import promoting_verdict
from support.registry.package_variants import tiny

from registry import Challenge, Outcome, Promotion
from registry.sqlite import SqliteLedger
from tunegate.commands.history import history_command
from tunegate.settings import load_settings
from tunegate.workspace import Workspace

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Three promotions an hour apart, the second of which was reverted; the first has a verdict."""
    state = tmp_path / "state"
    package = tiny(tmp_path / "toy-a")
    verdict = promoting_verdict(package, None)
    Workspace(load_settings(state=state)).save_verdict(verdict)
    ledger = SqliteLedger(state / "ledger.db")
    for number, result in enumerate(("live", "reverted", "live"), start=1):
        began = NOON + number * HOUR
        ledger.create(
            Promotion(
                model="toy",
                number=number,
                sha256=package.digest,
                verdict={1: verdict.digest(), 2: "0" * 64, 3: ""}[number],
                reasons=(f"reason {number}",),
                created_at=began,
            )
        )
        ledger.close("toy", number, Outcome.checked({"result": result, "closed_at": began}))
    return state


def history(state: Path, *words: object) -> Result:
    flags: Sequence[str] = ["--model", "toy", "--state", str(state), *map(str, words)]
    return CliRunner().invoke(history_command, flags, catch_exceptions=True)


def numbers(state: Path, *words: object) -> list[int]:
    done = history(state, *words, "--json")
    return [entry["promotion"]["number"] for entry in json.loads(done.stdout)]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-01T12:59", []),
        ("2026-11-01T13:00", [1]),
        ("2026-11-01T14:30", [1]),  # the second was reverted
        ("2026-11-01T15:00", [3]),
        ("2026-11-01T16:00+02:00", [1]),
        ("2026-11-02", [3]),
    ],
)
def test_at_shows_what_was_in_production_then(
    state: Path, moment: str, expected: list[int]
) -> None:
    assert numbers(state, "--at", moment) == expected


def test_without_a_time_all_are_shown(state: Path) -> None:
    assert numbers(state) == [1, 2, 3]


def test_what_is_no_time_is_refused(state: Path) -> None:
    done = history(state, "--at", "yesterday")
    assert done.exit_code == 2
    assert "write 2026-11-30" in done.stderr


def test_why_gives_the_verdict_of_a_promotion(state: Path) -> None:
    found = json.loads(history(state, "--why", 1, "--json").stdout)
    assert found["entry"]["promotion"]["number"] == 1
    assert found["verdict"]["reasons"] == ["better"]


@pytest.mark.parametrize("number", [2, 3])
def test_why_of_a_promotion_whose_verdict_is_not_here_has_none(state: Path, number: int) -> None:
    assert json.loads(history(state, "--why", number, "--json").stdout)["verdict"] is None


def test_why_of_no_promotion_is_refused(state: Path) -> None:
    done = history(state, "--why", 9)
    assert "no promotion 9 of toy" in str(done.exception)


@pytest.fixture
def refused(state: Path) -> Path:
    """One challenge was promoted, the other kept out; its verdict is here."""
    package = tiny(state / "toy-b", low=2.0)
    verdict = promoting_verdict(package, None, verdict="keep", reasons=("key 1: no better",))
    Workspace(load_settings(state=state)).save_verdict(verdict)
    ledger = SqliteLedger(state / "ledger.db")
    digests = {1: ledger.history("toy")[0].promotion.verdict}
    for number, decision in enumerate(("promote", "keep", "hold"), start=1):
        ledger.record(
            Challenge.checked(
                {
                    "model": "toy",
                    "number": number,
                    "decision": decision,
                    "verdict": digests.get(number, verdict.digest()),
                    "reasons": verdict.reasons,
                    "actor": "ada",
                    "until": NOON + 48 * HOUR if decision == "hold" else None,
                    "decided_at": NOON + number * HOUR + HOUR / 2,
                }
            )
        )
    return state


def test_who_did_not_get_in_is_counted_and_listed_on_demand(refused: Path) -> None:
    done = history(refused)
    assert "c2" not in done.stderr
    assert "2 candidate(s) did not get in: --all lists them" in done.stderr
    assert numbers(refused) == [1, 2, 3]
    lines = history(refused, "--all").stderr.splitlines()[1:]
    assert [line.split()[0] for line in lines if line[0] != " "] == ["1", "2", "c2", "3", "c3"]
    assert any("hold until 2026-11-03 12:00" in line for line in lines)
    found = json.loads(history(refused, "--all", "--json").stdout)
    assert [each["number"] for each in found["challenges"]] == [2, 3]
    assert len(found["promotions"]) == 3


def test_why_of_a_challenge_gives_the_verdict_that_kept_it_out(refused: Path) -> None:
    found = json.loads(history(refused, "--why", "c2", "--json").stdout)
    assert (found["challenge"]["decision"], found["challenge"]["actor"]) == ("keep", "ada")
    assert found["verdict"]["reasons"] == ["key 1: no better"]
    assert "key 1: no better" in history(refused, "--why", "c2").stderr
    assert "no challenge 4 of toy" in str(history(refused, "--why", "c4").exception)
    assert history(refused, "--why", "x3").exit_code == 2
