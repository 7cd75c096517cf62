"""A forest in C in the place of scikit-learn's, for two thousand decisions a cell.

Small forests take scikit-learn twenty times as long as their splits do. All else is the project's
own: folds, seeds, losses, smoothing, packages and the gate. `use_quick_forest` puts it into the
table of learners; `python -m benchmarks.decisions.quick_forest` prints how it compares: true losses
on the populations, and milliseconds a fit.
"""

import ctypes
import subprocess
import tempfile
from dataclasses import replace
from functools import cache
from inspect import signature
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.cells import FRESH_ROWS, SPREAD
from benchmarks.decisions.models import draw_case, fit_package, true_loss
from benchmarks.decisions.populations import POPULATIONS
from registry.package import FlatForest, Output, predict_encoded
from trainer.learners import LEARNERS

SOURCE = Path(__file__).with_name("quick_forest.c")
DEEPEST = 1000
OTHERS = {
    "min_samples_split": (2,),
    "bootstrap": (True,),
    "criterion": ("squared_error", "gini", None),
}
COMPARED = 12  # data sets


@cache
def _library() -> ctypes.CDLL:
    folder = Path(tempfile.mkdtemp(prefix="quick-forest-"))
    built = folder / "quick_forest.so"
    command = ["cc", "-O3", "-shared", "-fPIC", "-o", str(built), str(SOURCE)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(built))
    library.fit_forest.restype = ctypes.c_int32
    return library


class QuickForest:
    """Takes the parameters of a random forest; those that it does not know must be the defaults."""

    def __init__(  # noqa: PLR0913 - a forest's parameters
        self,
        n_estimators: int = 100,
        max_features: float | str | None = 1.0,
        max_depth: int | None = None,
        min_samples_leaf: int = 1,
        max_samples: float | None = None,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_features = max_features
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_samples = max_samples
        self.random_state = random_state
        self.n_jobs = n_jobs

    def get_params(self) -> dict[str, object]:
        """Return the parameters by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **values: Any) -> None:  # noqa: ANN401 - of several types
        """Set parameters.

        Raises:
            ValueError: when one that it does not know is no default.
        """
        for name, value in values.items():
            if hasattr(self, name):
                setattr(self, name, value)
            elif value not in OTHERS.get(name, ()):
                raise ValueError(f"the quick forest does not know {name}={value}")

    def fit(
        self, x: NDArray[np.float32], y: NDArray[Any], sample_weight: None = None
    ) -> "QuickForest":
        """Fit.

        Raises:
            ValueError: when the table has gaps or weights.
        """
        if sample_weight is not None or np.isnan(x).any():
            raise ValueError("the quick forest knows neither weights nor gaps")
        n, width = x.shape
        columns = np.ascontiguousarray(x.T, dtype=np.float32)
        order = np.argsort(columns, axis=1, kind="stable").astype(np.int32)
        target = np.ascontiguousarray(y, dtype=np.float64)
        rows = n if self.max_samples is None else max(1, round(n * self.max_samples))
        room = 2 * n * self.n_estimators
        start = np.empty(self.n_estimators + 1, dtype=np.int32)
        feature, left, right = (np.empty(room, dtype=np.int32) for _ in range(3))
        threshold = np.empty(room, dtype=np.float32)
        value = np.empty(room, dtype=np.float64)
        size = _library().fit_forest(
            *(each.ctypes.data_as(ctypes.c_void_p) for each in (columns, target, order)),
            ctypes.c_int32(n),
            ctypes.c_int32(width),
            ctypes.c_int32(self.n_estimators),
            ctypes.c_int32(self._drawn(width)),
            ctypes.c_int32(self.min_samples_leaf),
            ctypes.c_int32(self.max_depth or DEEPEST),
            ctypes.c_int32(rows),
            ctypes.c_uint64(self.random_state),
            ctypes.c_int32(room),
            *(
                each.ctypes.data_as(ctypes.c_void_p)
                for each in (start, feature, threshold, left, right, value)
            ),
        )
        leaf = left[:size] == np.arange(size)
        mean = value[:size, None]
        self.forest_ = FlatForest.from_arrays(
            {
                "start": start,
                "feature": feature[:size],
                "threshold": threshold[:size],
                "left": left[:size],
                "right": right[:size],
                "missing_left": np.zeros(size, dtype=np.bool_),
                "value": self._leaves(mean, leaf[:, None]),
            },
            n_features=width,
        )
        self.estimators_ = range(self.n_estimators)
        return self

    def _drawn(self, width: int) -> int:
        if isinstance(self.max_features, float):
            return max(1, int(self.max_features * width))
        return {None: width, "sqrt": max(1, int(width**0.5))}[self.max_features]

    def _leaves(self, mean: NDArray[np.float64], leaf: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(leaf, mean, 0.0)


class QuickRegressor(QuickForest):
    """A forest of numbers."""

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n,)."""
        return predict_encoded(self.forest_, Output(), np.ascontiguousarray(x))[:, 0]


class QuickClassifier(QuickForest):
    """A forest of the classes 0 and 1."""

    classes_ = np.array([0, 1])

    def predict_proba(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64 (n, 2)."""
        return predict_encoded(self.forest_, Output(), np.ascontiguousarray(x))

    def _leaves(self, mean: NDArray[np.float64], leaf: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(leaf, np.hstack([1 - mean, mean]), 0.0)


def use_quick_forest() -> None:
    """Let the learner `random_forest` be this one, in this process."""
    LEARNERS["random_forest"] = replace(
        LEARNERS["random_forest"],
        classes={
            "regression": "benchmarks.decisions.quick_forest:QuickRegressor",
            "classification": "benchmarks.decisions.quick_forest:QuickClassifier",
        },
        flatten=lambda estimator, _: (estimator.forest_, Output()),
    )


def compare() -> None:
    """Print the mean true loss of both on each population, and milliseconds a fit."""
    library = LEARNERS["random_forest"]
    print("| population | recipe | scikit-learn | quick | ratio | ms | ms |")
    print("|---|---|---|---|---|---|---|")
    for population in POPULATIONS:
        for recipe in (SPREAD[0], SPREAD[8]):
            losses = np.zeros((2, COMPARED))
            seconds = [0.0, 0.0]
            for number in range(COMPARED):
                rng = np.random.default_rng([number, 9])
                case = draw_case(population, 500, rng)
                fresh = population.draw(rng, FRESH_ROWS, "same")
                for which in range(2):
                    LEARNERS["random_forest"] = library
                    if which:
                        use_quick_forest()
                    began = process_time()
                    package = fit_package(case, recipe, number)
                    seconds[which] += process_time() - began
                    losses[which, number] = true_loss(population, package, fresh)
            slow, quick = losses.mean(axis=1)
            taken = [1000 * each / COMPARED for each in seconds]
            print(
                f"| {population.name} | {recipe} | {slow:.4g} | {quick:.4g} | "
                f"{(losses[1] / losses[0]).mean():.3f} | {taken[0]:.1f} | {taken[1]:.1f} |"
            )


if __name__ == "__main__":
    compare()
