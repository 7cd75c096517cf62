"""A Gaussian process: what is expected of points that nobody has tried, and how sure that is.

A Matérn 5/2 kernel with a length for each coordinate (Rasmussen and Williams 2006, sections 2.2, 4.2.1 and 5.4.1).
Lengths, scale and noise are the most probable ones after what was tried; their priors are those of Optuna 5's
GPSampler, which does the same on PyTorch.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

from katib.search.unit_cube import Numbers

ROOT5 = np.sqrt(5.0)
LOG_BOUNDS = (-9.0, 9.0)
LOG_NOISE_BOUNDS = (np.log(1e-6), 2.0)
START = {"length": 0.0, "scale": 0.0, "noise": np.log(1e-2)}  # logarithms
LEAST_VARIANCE = 1e-12
_libraries = ThreadpoolController()


@dataclass(frozen=True, slots=True)
class Process:
    """A process over points in n places.

    Attributes:
        places: float64 (n, d), what was tried; then what is being tried.
        losses: float64 (n, s), standardised, a column for each of s worlds that differ in what is being tried.
        lengths: float64 (d,), in which the loss changes much.
        scale: variance of the losses that the kernel explains.
        noise: variance that it does not.
        factor: float64 (n, n), the lower Cholesky factor of the covariance.
        weights: float64 (n, s), the covariance's inverse times the losses.
    """

    places: Numbers
    losses: Numbers
    lengths: Numbers
    scale: float
    noise: float
    factor: Numbers
    weights: Numbers

    @classmethod
    def fit(cls, places: Numbers, losses: Numbers) -> Self:
        """Fit to losses float64 (n,) in places float64 (n, d)."""
        width = places.shape[1]
        squares = ((places[:, None] - places[None]) ** 2).reshape(-1, width)
        start = np.array([START["length"]] * width + [START["scale"], START["noise"]])
        bounds = [LOG_BOUNDS] * (width + 1) + [LOG_NOISE_BOUNDS]
        found = minimize(
            _surprise, start, (squares, losses), jac=True, method="L-BFGS-B", bounds=bounds
        )
        *inverse, scale, noise = np.exp(found.x)
        return cls._make(places, losses[:, None], 1 / np.sqrt(inverse), float(scale), float(noise))

    @classmethod
    def _make(
        cls, places: Numbers, losses: Numbers, lengths: Numbers, scale: float, noise: float
    ) -> Self:
        factor = _factor(scale * _matern(_distances(places / lengths, places / lengths)), noise)
        return cls(places, losses, lengths, scale, noise, factor, cho_solve((factor, True), losses))

    @property
    def best(self) -> Numbers:
        """The least loss in each world: float64 (s,)."""
        least: Numbers = self.losses.min(axis=0)
        return least

    def predict(self, places: Numbers) -> tuple[Numbers, Numbers]:
        """Return the mean float64 (m, s) and the standard deviation float64 (m,) of the loss at float64 (m, d)."""
        mean, root = self._project(places)
        return mean, np.sqrt(np.maximum(self.scale - (root**2).sum(axis=0), LEAST_VARIANCE))

    def imagine(self, places: Numbers, worlds: int, rng: np.random.Generator) -> Self:
        """Return the process of `worlds` worlds, in each of which other losses, drawn from it, came out at `places`."""
        mean, root = self._project(places)
        covariance = (
            self.scale * _matern(_distances(places / self.lengths, places / self.lengths))
            - root.T @ root
        )
        normal = rng.normal(size=(len(places), worlds))
        drawn = mean[:, :1] + _factor(covariance, self.noise) @ normal
        losses = np.concatenate([np.repeat(self.losses[:, :1], worlds, axis=1), drawn])
        return self._make(
            np.concatenate([self.places, places]), losses, self.lengths, self.scale, self.noise
        )

    def _project(self, places: Numbers) -> tuple[Numbers, Numbers]:
        cross = self.scale * _matern(_distances(places / self.lengths, self.places / self.lengths))
        return cross @ self.weights, solve_triangular(
            self.factor, cross.T, lower=True, check_finite=False
        )


def one_thread() -> AbstractContextManager[object]:
    """Keep the linear algebra's own threads out while this lasts.

    Matrices are small here, and those threads wait for each other in busy loops: beside trials that have the
    processors, a hundred times the work. With one thread sums are added in one order, too.
    """
    limit: AbstractContextManager[object] = _libraries.limit(limits=1, user_api="blas")
    return limit


def _distances(a: Numbers, b: Numbers) -> Numbers:
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    distances: Numbers = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _matern(distances: Numbers) -> Numbers:
    root = ROOT5 * distances
    kernel: Numbers = (1 + root + root**2 / 3) * np.exp(-root)
    return kernel


def _factor(covariance: Numbers, noise: float) -> Numbers:
    """Return the lower Cholesky factor of the covariance with noise."""
    factor: Numbers = np.linalg.cholesky(covariance + noise * np.eye(len(covariance))).astype(
        np.float64, copy=False
    )
    return factor


def _surprise(logs: Numbers, squares: Numbers, losses: Numbers) -> tuple[float, Numbers]:
    """Return the negative logarithm of the posterior, but for a constant, and its slope (section 5.4.1).

    Args:
        logs: float64 (d + 2,), logarithms of the inverse squared lengths, of scale and noise.
        squares: float64 (n * n, d), squared differences of coordinates.
        losses: float64 (n,).
    """
    n = len(losses)
    (*_, scale, noise) = np.exp(logs)
    inverse = np.exp(logs[:-2])
    root = ROOT5 * np.sqrt(squares @ inverse).reshape(n, n)
    decay = scale * np.exp(-root)
    kernel = (1 + root + root**2 / 3) * decay
    factor = _factor(kernel, noise)
    weights = cho_solve((factor, True), losses)
    fit = losses @ weights / 2 + np.log(np.diag(factor)).sum()
    slack = (_inverse(factor) - np.outer(weights, weights)) / 2
    by_square = (slack * (-5 / 6) * (1 + root) * decay).ravel()
    slope = [*(by_square @ squares * inverse), (slack * kernel).sum(), slack.trace() * noise]
    doubt, doubt_slope = _doubt(inverse, scale, noise)
    return float(fit + doubt), np.array(slope) + doubt_slope


def _inverse(factor: Numbers) -> Numbers:
    lower = dpotri(factor, lower=1)[0]
    inverse: Numbers = np.tril(lower) + np.tril(lower, -1).T
    return inverse


def _doubt(inverse: Numbers, scale: float, noise: float) -> tuple[float, Numbers]:
    """Return the priors' part: lengths neither tiny nor huge, scale from Gamma(2, 1), noise from Gamma(1.1, 30)."""
    value = (
        (0.1 / inverse + 0.1 * inverse).sum()
        + scale
        - np.log(scale)
        + 30 * noise
        - 0.1 * np.log(noise)
    )
    return float(value), np.array([*(0.1 * inverse - 0.1 / inverse), scale - 1, 30 * noise - 0.1])
