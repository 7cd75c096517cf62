"""What the gate says of its own answer: the gain it could have seen, the row that decides."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.promotion.gate_cases import GateCase

from promote import GatePolicy
from promote.evidence import compare_losses
from promote.explanation import (
    detectable_gain,
    detection_power,
    find_deciding_row,
    power_text,
)
from promote.gate import judge
from promote.gate_input import GateInput
from promote.verdict import ColumnDrift, Verdict
from tunegate.console import evidence_lines
from tunegate.promotion.evaluation import make_evaluation
from tunegate.report.decision import drift_table, power_curve

POLICY = GatePolicy(resamples=400)


def test_a_gain_as_large_as_the_detectable_one_is_found_eight_times_in_ten() -> None:
    rng = np.random.default_rng(4)
    first = compare_losses(rng.normal(10, 2, 200), np.full(200, 10.0), resamples=400, seed=0)
    gain = detectable_gain(first, 0.9)
    found = [
        compare_losses(rng.normal(10 + gain, 2, 200), np.full(200, 10.0), resamples=400, seed=i)
        for i in range(200)
    ]
    assert 0.7 <= np.mean([each.p_better >= 0.9 for each in found]) <= 0.9


@given(st.floats(0.05, 0.6), st.floats(0.55, 0.95))
def test_more_power_takes_a_larger_gain(low: float, high: float) -> None:
    found = compare_losses(np.arange(50.0), np.arange(50.0)[::-1].copy(), resamples=100, seed=0)
    assert detectable_gain(found, 0.9, power=low) <= detectable_gain(
        found, 0.9, power=max(low, high)
    )


def test_the_verdict_says_which_gain_it_could_have_found(homes: GateCase) -> None:
    verdict = homes.judge(homes.poor, homes.good)
    assert verdict.recipe
    lines = list(evidence_lines(verdict))
    assert power_text(verdict.recipe, 0.9) in lines
    assert any("fitted on 80% of the training rows" in line for line in lines)
    gain = detectable_gain(verdict.recipe, 0.9)
    assert detection_power(verdict.recipe, 0.9, gain) == pytest.approx(0.8)
    assert "gets past key 1" in power_curve(verdict)
    assert power_curve(homes.judge(homes.good, None, repeats=1)) == ""


@pytest.mark.parametrize(("helps", "without"), [(True, 0.0), (False, 1.0)])
def test_the_row_that_alone_decides_is_found(*, helps: bool, without: float) -> None:
    champion = np.full(60, 10.0)
    candidate = champion + 1 if helps else champion - 1
    champion[17] += 1e6 * helps
    candidate[17] += 1e6 * (not helps)
    least = 0.5  # a lone row is in six of ten resamples
    row = find_deciding_row(champion, candidate, least, POLICY)
    assert row
    assert row.position == 17
    assert row.words == f"one row decides, without it P(better) is {without:.3f}"


def test_where_many_rows_agree_none_decides() -> None:
    assert find_deciding_row(np.full(60, 3.0), np.full(60, 2.0), 0.9, POLICY) is None


def outlier_reasons(homes: GateCase, part: str) -> str:
    """Judge after one target was mistyped, on the side where it hurts the better model."""
    rows = getattr(homes.data, part)
    poor, good = (each.predict(rows.table)[5, 0] for each in (homes.poor, homes.good))
    y = rows.y.copy()
    y[5] = 1e6 if good < poor else -1e6
    data = replace(homes.data, **{part: replace(rows, y=y)})
    verdict = judge(GateInput(homes.good, homes.poor, make_evaluation(data, cpus=1)), GatePolicy())
    assert verdict.verdict != "promote"
    return "; ".join(verdict.reasons)


@pytest.mark.parametrize(
    ("part", "words"),
    [("training", "one row makes "), ("holdout", "one row decides, ")],
)
def test_one_mistyped_target_that_keeps_a_good_model_out_is_named(
    homes: GateCase, part: str, words: str
) -> None:
    reasons = outlier_reasons(homes, part)
    assert words in reasons
    assert "1,000,000, " in reasons


def test_an_ordinary_verdict_names_no_row(homes: GateCase) -> None:
    verdict = homes.judge(homes.good, homes.poor)
    assert all("one row" not in check.detail for check in verdict.checks)


def test_a_verdict_carries_the_drift_and_says_so(homes: GateCase) -> None:
    drift = (ColumnDrift(column="size", psi=0.4, test="ks", statistic=0.5, p=0.001),)
    verdict = judge(GateInput(homes.good, None, homes.view, drift=drift), GatePolicy(repeats=1))
    assert verdict.drift == drift
    assert Verdict.parse(verdict.canonical()) == verdict
    assert any("1 of 1 columns have moved" in line for line in evidence_lines(verdict))
    assert "size" in drift_table(verdict.drift)
