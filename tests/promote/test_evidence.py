"""The paired bootstrap, and the search for a slice that got worse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from promote.evidence import MANY, Floats, Slice, compare_losses, worst_slice

losses = arrays(np.float64, st.integers(2, 40), elements=st.floats(0, 1e6))
pairs = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(0, 1e6)) for _ in range(2)])
)
seeds = st.integers(0, 2**32)


@given(losses, seeds)
def test_equal_models_are_never_better(loss: Floats, seed: int) -> None:
    found = compare_losses(loss, loss.copy(), resamples=100, seed=seed)
    assert (found.p_better, found.gain, found.low, found.high) == (0, 0, 0, 0)


@given(pairs, seeds)
def test_swapping_the_sides_mirrors_the_evidence(pair: tuple[Floats, Floats], seed: int) -> None:
    one, other = pair
    there = compare_losses(one, other, resamples=200, seed=seed)
    back = compare_losses(other, one, resamples=200, seed=seed)
    assert back.gain == -there.gain
    assert (back.candidate, back.champion) == (there.champion, there.candidate)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), rel=1e-9, abs=1e-6)
    assert (
        there.p_better + back.p_better <= 1 + 1e-12
    )  # the rest are resamples without any difference


@given(pairs, seeds)
def test_the_same_seed_gives_the_same_numbers(pair: tuple[Floats, Floats], seed: int) -> None:
    assert compare_losses(*pair, resamples=100, seed=seed) == compare_losses(
        *pair, resamples=100, seed=seed
    )


def test_another_seed_draws_other_rows() -> None:
    rng = np.random.default_rng(0)
    one = rng.random(30)
    other = rng.random(30)
    assert (
        compare_losses(one, other, resamples=200, seed=1).low
        != compare_losses(one, other, resamples=200, seed=2).low
    )


@given(losses, st.floats(0.01, 100), seeds)
def test_a_model_that_is_better_on_every_row_is_better_beyond_doubt(
    loss: Floats, margin: float, seed: int
) -> None:
    found = compare_losses(loss + margin, loss, resamples=100, seed=seed)
    assert found.p_better == 1
    assert 0 < found.low <= found.high


@given(pairs, seeds)
def test_the_numbers_are_in_their_places(pair: tuple[Floats, Floats], seed: int) -> None:
    found = compare_losses(*pair, resamples=100, seed=seed)
    assert 0 <= found.p_better <= 1
    assert found.low <= found.high
    assert found.rows == len(pair[0])
    assert found.gain == pytest.approx(found.champion - found.candidate, abs=1e-6)


def test_rows_stay_paired() -> None:
    """Both models err most on the same rows; only a paired test sees the small difference."""
    hard = np.random.default_rng(0).exponential(100, 60)
    assert compare_losses(hard + 1, hard, resamples=500, seed=0).p_better == 1
    assert (
        0.2
        < compare_losses(
            hard + 1, np.random.default_rng(1).permutation(hard), resamples=500, seed=0
        ).p_better
        < 0.8
    )


def test_the_interval_covers_the_truth_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(7)
    truth = 0.5
    covered = 0
    for i in range(300):
        gain = rng.normal(truth, 2.0, 80)
        found = compare_losses(gain + 10, np.full(80, 10.0), resamples=300, seed=i)
        covered += found.low <= truth <= found.high
    assert 0.84 <= covered / 300 <= 0.95


def test_equal_challengers_seldom_pass_a_demand_of_nine_tenths() -> None:
    rng = np.random.default_rng(11)
    passed = [
        compare_losses(rng.normal(10, 2, 80), rng.normal(10, 2, 80), resamples=300, seed=i).p_better
        >= 0.9
        for i in range(300)
    ]
    assert 0.05 <= np.mean(passed) <= 0.16


def halves(n: int) -> list[Slice]:
    first = np.arange(n) < n // 2
    return [Slice("first", first), Slice("second", ~first)]


def found_worst(champion: Floats, candidate: Floats, *, ratio: float = 2.0) -> str:
    return worst_slice(
        halves(len(champion)), champion, candidate, ratio=ratio, resamples=500, seed=0
    )


def test_a_slice_that_got_clearly_worse_is_named_with_its_factor() -> None:
    champion = np.full(60, 2.0)
    candidate = np.repeat([1.0, 9.0], 30)
    assert found_worst(champion, candidate) == "second: 4.50 times the champion's loss (30 rows)"


def test_the_worst_of_several_slices_is_named() -> None:
    assert found_worst(np.full(60, 1.0), np.repeat([9.0, 4.0], 30)).startswith("first: 9.00")


def test_a_slice_within_the_ratio_is_not_named() -> None:
    assert found_worst(np.full(60, 2.0), np.repeat([1.0, 9.0], 30), ratio=5.0) == ""


def test_a_slice_made_worse_by_one_row_alone_is_left_in_doubt() -> None:
    candidate = np.full(60, 1.0)
    candidate[40] = 500.0
    assert found_worst(np.full(60, 2.0), candidate) == ""


@pytest.mark.parametrize(("loss", "named"), [(0.0, False), (0.5, True)])
def test_a_slice_without_any_error_before_must_stay_without(loss: float, named: bool) -> None:  # noqa: FBT001
    assert bool(found_worst(np.zeros(60), np.repeat([0.0, loss], 30))) is named


@settings(max_examples=30)
@given(losses)
def test_a_model_beside_itself_has_no_worse_slice(loss: Floats) -> None:
    assert worst_slice(halves(len(loss)), loss, loss, ratio=1.0, resamples=100, seed=0) == ""


def test_rows_of_a_group_tell_less_than_rows_of_their_own() -> None:
    rng = np.random.default_rng(0)
    per_group = rng.normal(0.2, 1, 20)
    champion = np.repeat(per_group, 30)
    candidate = np.zeros(600)
    alone = compare_losses(champion, candidate, resamples=500, seed=0)
    group = np.repeat(np.arange(20, dtype=np.uint64), 30)
    together = compare_losses(champion, candidate, resamples=500, seed=0, group=group)
    assert (together.gain, together.rows) == (alone.gain, 600)
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_groups_of_one_row_are_rows() -> None:
    champion = np.random.default_rng(1).gamma(1.0, size=80)
    found = [
        compare_losses(champion, champion[::-1].copy(), resamples=200, seed=3, group=group)
        for group in (None, np.arange(80, dtype=np.uint64))
    ]
    assert found[0].p_better == found[1].p_better
    assert found[0].low == pytest.approx(found[1].low)


@pytest.mark.parametrize("size", [1, 3])
def test_of_many_rows_the_normal_distribution_says_what_the_bootstrap_says(size: int) -> None:
    rng = np.random.default_rng(2)
    n = (MANY + 1) * size
    champion = rng.gamma(1.0, size=n)
    candidate = champion * rng.normal(0.999, 0.1, n)
    group = np.arange(n, dtype=np.uint64) // size
    quick = compare_losses(champion, candidate, resamples=2, seed=0, group=group)
    gain = champion - candidate
    sums = gain.reshape(-1, size).sum(axis=1)
    means = [sums[rng.integers(len(sums), size=len(sums))].sum() / n for _ in range(400)]
    assert quick.p_better == pytest.approx(np.mean(np.array(means) > 0), abs=0.08)
    spread = np.quantile(means, 0.95) - np.quantile(means, 0.05)
    assert quick.high - quick.low == pytest.approx(spread, rel=0.15)
    assert quick.rows == n


def test_many_equal_losses_are_not_better() -> None:
    loss = np.ones(MANY + 1)
    found = compare_losses(loss, loss, resamples=100, seed=0)
    assert (found.p_better, found.gain, found.low, found.high) == (0, 0, 0, 0)
