"""From sums to answers: smoothed class shares are the same in arrays and one by one."""

import struct
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from support.registry.packages import forest

from registry.package import (
    Output,
    from_log,
    make_row_predictor,
    predict_encoded,
    row_losses,
    smooth_shares,
)
from registry.record import InvalidRecord

SHARES = st_numpy.arrays(
    np.float64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(0, 1)
)


@given(votes=SHARES, n_trees=st.integers(1, 10_000))
def test_smoothed_shares_are_those_of_one_tree_more_that_votes_for_all(
    votes: np.ndarray, n_trees: int
) -> None:
    shares = (votes + 1e-9) / (votes + 1e-9).sum(axis=1, keepdims=True)
    n_classes = shares.shape[1]
    smoothed = smooth_shares(shares, n_trees=n_trees, n_classes=n_classes)
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, rtol=1e-12)
    assert smoothed.min() >= 0.999 / n_classes / (n_trees + 1)
    for row in range(len(shares)):
        assert (np.diff(smoothed[row, np.argsort(shares[row])]) >= 0).all()
    # One number at a time, as the server's fast path does, gives the same bits.
    one_by_one = [
        smooth_shares(share, n_trees=n_trees, n_classes=n_classes)
        for share in shares.ravel().tolist()
    ]
    assert one_by_one == smoothed.ravel().tolist()


def test_a_share_of_zero_no_longer_decides_by_itself() -> None:
    certain = np.array([[1.0, 0.0]])
    smoothed = smooth_shares(certain, n_trees=100, n_classes=2)
    wrong = np.array([1.0])
    assert row_losses("classification", "log_loss", wrong, certain)[0] > 34
    assert row_losses("classification", "log_loss", wrong, smoothed)[0] == pytest.approx(
        np.log(202), rel=1e-12
    )


def test_one_row_is_smoothed_to_the_same_bits_as_many() -> None:
    two_classes = np.abs(np.hstack([forest().value, forest().value * 3]))
    trees = forest(value=two_classes)
    output = Output(smooth=True)
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    one = make_row_predictor(trees, output)
    many = predict_encoded(trees, output, x)
    assert [list(one(struct.pack("4f", *row))) for row in x.tolist()] == many.tolist()


@pytest.mark.parametrize("more", [{"combine": "sum"}, {"base": [0.5]}, {"link": "softmax"}])
def test_only_the_mean_of_shares_can_be_smoothed(more: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord, match="only the mean of the trees' class shares"):
        Output.checked({"smooth": True, **more})


def test_a_prediction_of_a_logarithm_is_never_infinite() -> None:
    learned = np.array([[0.0], [800.0], [-800.0]])
    assert from_log(learned).tolist() == [[0.0], [sys.float_info.max], [-1.0]]
