"""Many challenges of one champion: what they cost, and what fresh rows do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.promotion.gate_cases import GateCase, check_detail, failed_checks
from support.registry.ledgers import challenge

from promote import GatePolicy
from promote.challenges import Question, count_challenge, make_question, shared_rows
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import ChallengeCount, Verdict
from registry import Challenge

POLICY = GatePolicy(challenges_alpha=0.2)


def question(rows: range, name: str = "candidate", **policy: int) -> Question:
    """Return the question about these rows; their hashes are spread as hashes are."""
    hashes = np.random.default_rng(0).integers(2**64, size=5000, dtype=np.uint64)[rows]
    return make_question(name, "champion", f"{rows}", hashes, GatePolicy(**policy))


def asked(*questions: Question) -> list[Challenge]:
    """Return the ledger after these questions, each counted."""
    found: list[Challenge] = []
    for each in questions:
        count = count_challenge(found, each)
        fields = {"count": count, "question": each.digest, "rows": each.rows}
        found.append(challenge(len(found) + 1, **fields))
    return found


@given(st.integers(1, 400), st.floats(1e-6, 1), st.floats(0, 1))
def test_each_further_challenge_needs_more_and_all_together_spend_the_budget_at_most(
    number: int, alpha: float, least: float
) -> None:
    policy = GatePolicy(challenges_alpha=alpha, resamples=100_000)
    thresholds = [policy.least_of_challenge(n, least) for n in range(1, number + 1)]
    assert thresholds == sorted(thresholds)
    assert all(least <= each <= max(least, 1) for each in thresholds)
    spent = sum(1 - each for each in thresholds)
    assert spent <= alpha + number / policy.resamples + 1e-9


@pytest.mark.parametrize(("number", "alpha"), [(0, 0.2), (1, 0.0), (1000, 0.0)])
def test_without_a_count_or_a_budget_the_threshold_stays(number: int, alpha: float) -> None:
    assert GatePolicy(challenges_alpha=alpha).least_of_challenge(number, 0.9) == 0.9


def test_no_threshold_goes_beyond_what_resamples_can_tell() -> None:
    policy = GatePolicy(resamples=100, challenges_alpha=0.2)
    assert policy.least_of_challenge(10_000, 0.9) == 0.99


def test_challenges_on_the_same_rows_are_counted() -> None:
    found = asked(*(question(range(500), f"{n}") for n in range(5)))
    assert [each.count for each in found] == [1, 2, 3, 4, 5]


def test_the_same_question_keeps_its_number_and_other_folds_are_another() -> None:
    first, second = (question(range(500), name) for name in "ab")
    found = asked(first, second, first)
    assert [each.count for each in found] == [1, 2, 1]
    assert count_challenge(found, question(range(500), "a", seed=1)) == 3


def test_decisions_without_the_rows_do_not_count() -> None:
    refused = [challenge(number) for number in (1, 2, 3)]
    assert count_challenge(refused, question(range(500))) == 1


@pytest.mark.parametrize(
    ("rows", "number"),
    [(range(500, 1000), 1), (range(250, 750), 11), (range(1000), 11), (range(525), 20)],
)
def test_fresh_rows_renew_the_budget_by_their_share(rows: range, number: int) -> None:
    """After 20 challenges on rows 0 to 500; the share is estimated."""
    found = asked(*(question(range(500), f"{n}") for n in range(20)))
    assert abs(count_challenge(found, question(rows)) - number) <= 3


@given(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=200))
def test_the_same_rows_are_shared_whole(rows: set[int]) -> None:
    smallest = sorted(rows)[:64]
    assert shared_rows(smallest, smallest) == 1


def test_rows_that_cannot_be_compared_count_as_the_same() -> None:
    assert shared_rows([100], tuple(range(64))) == 1


def judged(homes: GateCase, number: int, **policy: object) -> Verdict:
    given = GateInput(homes.good, homes.poor, homes.view, challenge=number)
    return judge(given, GatePolicy.checked({"challenges_alpha": 0.2, **policy}))


def test_the_verdict_says_the_number_of_the_challenge_and_its_threshold(homes: GateCase) -> None:
    verdict = judged(homes, 7)
    least = POLICY.least_of_challenge(7, POLICY.p_recipe)
    assert verdict.challenge == ChallengeCount(number=7, least=least)
    assert verdict.least_recipe == least
    assert "challenge 7 of a champion on these rows" in check_detail(verdict, "challenge")
    assert f"{least:.5f}".rstrip("0") in check_detail(verdict, "key 1, recipes on fresh folds")
    assert Verdict.parse(verdict.canonical()) == verdict


def test_a_key_that_turns_where_nobody_counts_may_not_turn_in_a_challenge(
    homes: GateCase,
) -> None:
    key = "key 1, recipes on fresh folds"
    worse = GateInput(homes.poor, homes.good, homes.view)
    lenient = POLICY.replace(p_recipe=0.0)
    assert key not in failed_checks(judge(worse, lenient))
    assert key in failed_checks(judge(replace(worse, challenge=1), lenient))


def test_nobody_counts_for_a_first_model_and_verdicts_without_a_count_keep_their_digests(
    homes: GateCase,
) -> None:
    quick = GatePolicy(repeats=1, folds=2)
    first = judge(GateInput(homes.good, None, homes.view, challenge=3), quick)
    assert first.challenge is None
    assert b"challenge" not in first.canonical()
    assert b"challenge" not in homes.judge(homes.good, homes.poor).canonical()


def test_strict_lower_counts_and_keeps_its_rule(homes: GateCase) -> None:
    verdict = judged(homes, 150, mode="strict-lower")
    assert verdict.challenge == ChallengeCount(number=150)
    assert check_detail(verdict, "challenge") == "challenge 150 of a champion on these rows"
