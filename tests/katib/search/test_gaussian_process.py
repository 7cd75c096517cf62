"""The Gaussian process beside scikit-learn's, which is tested by many."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from katib.search.acquisition import log_improvement
from katib.search.gaussian_process import Process, one_thread
from katib.search.unit_cube import Numbers


def made(count: int, seed: int = 0) -> tuple[Numbers, Numbers]:
    """Return places of which two coordinates matter and two do not, and standardised losses."""
    places = np.random.default_rng(seed).random((count, 4))
    losses = np.sin(6 * places[:, 0]) + (places[:, 1] - 0.3) ** 2
    return places, (losses - losses.mean()) / losses.std()


def test_mean_and_deviation_are_those_of_scikit_learn() -> None:
    places, losses = made(40)
    process = Process.fit(places, losses)
    kernel = ConstantKernel(process.scale) * Matern(process.lengths, nu=2.5)
    other = GaussianProcessRegressor(kernel, alpha=process.noise, optimizer=None).fit(
        places, losses
    )
    elsewhere = np.random.default_rng(1).random((50, 4))
    mean, deviation = other.predict(elsewhere, return_std=True)
    ours, spread = process.predict(elsewhere)
    np.testing.assert_allclose(ours[:, 0], mean, atol=1e-6)
    np.testing.assert_allclose(spread, deviation, atol=1e-6)


def test_the_fit_is_as_likely_as_scikit_learns_and_finds_what_matters() -> None:
    places, losses = made(60)
    losses += np.random.default_rng(1).normal(0, 0.2, 60)
    process = Process.fit(places, losses)
    kernel = ConstantKernel() * Matern(np.ones(4), nu=2.5) + WhiteKernel(1e-2, (1e-6, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths of what does not matter end at their bounds
        other = GaussianProcessRegressor(kernel, n_restarts_optimizer=3, random_state=0).fit(
            places, losses
        )
    fitted = [math.log(process.scale), *np.log(process.lengths), math.log(process.noise)]
    likely = other.log_marginal_likelihood(np.array(fitted))
    assert likely > other.log_marginal_likelihood_value_ - 5  # the priors cost something
    assert process.lengths[:2].max() < process.lengths[2:].min()


def test_what_is_imagined_becomes_certain_and_differs_between_worlds() -> None:
    process = Process.fit(*made(30))
    running = np.random.default_rng(2).random((3, 4))
    imagined = process.imagine(running, 200, np.random.default_rng(3))
    before, doubt = process.predict(running)
    after, certain = imagined.predict(running)
    assert after.shape == (3, 200)
    assert (certain < doubt / 2).all()
    errors = np.abs(after.mean(axis=1) - before[:, 0])
    assert (errors < 4 * (doubt + math.sqrt(process.noise)) / math.sqrt(200)).all()
    np.testing.assert_allclose(imagined.losses.min(axis=0), imagined.best)


def test_points_on_one_spot_and_equal_losses_are_no_trouble() -> None:
    places = np.full((20, 3), 0.5)
    for losses in (np.zeros(20), np.random.default_rng(0).normal(size=20)):
        process = Process.fit(places, losses)
        mean, deviation = process.imagine(places[:2], 4, np.random.default_rng(0)).predict(
            places[:1]
        )
        assert np.isfinite(mean).all()
        assert np.isfinite(deviation).all()


def test_threads_of_the_linear_algebra_come_back() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [
            library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
        ]

    before = threads()
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before


@given(st.floats(-6, 6))
def test_the_improvement_is_the_integral_it_stands_for(z: float) -> None:
    inside = (
        math.exp(-z * z / 2) / math.sqrt(2 * math.pi) + z * (1 + math.erf(z / math.sqrt(2))) / 2
    )
    assert math.exp(log_improvement(np.array([z]))[0]) == pytest.approx(inside, rel=1e-6, abs=1e-15)


@settings(max_examples=200)
@given(st.floats(-1e8, 30), st.floats(1e-6, 1e3))
def test_more_is_more_however_small(z: float, step: float) -> None:
    low, high = log_improvement(np.array([z, z + step * max(1.0, abs(z) * 1e-6)]))
    assert np.isfinite(low)
    assert low < high
