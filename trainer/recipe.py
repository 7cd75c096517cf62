"""A recipe: learner, hyperparameters and seed. It fits the same trees in any process.

`n_jobs` threads fit, but one predicts: several add in any order, so that the last bit differs
(measured: equal in 0 of 7 cases of regression).
"""

import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from registry.package import from_log, smooth_shares
from registry.package.losses import Floats
from trainer.dataset import Dataset
from trainer.errors import TrainerError
from trainer.hyperparameters import parse_hyperparameters
from trainer.learners import LEARNERS, Estimator, Given, Hyperparameters, Learner
from trainer.weights import balanced_weights


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a model.

    Attributes:
        algorithm: a key of `LEARNERS`.
        task: "regression" or "classification".
        parameters: complete for the task.
        seed: of the model.
        balanced: whether each class gets the same total weight in fits.
        log_target: whether log(1 + target) is learned; predictions are in the target's own unit.
        smooth: whether a forest's class shares are smoothed, see `registry.package.smooth_shares`.
    """

    algorithm: str
    task: str
    parameters: Hyperparameters
    seed: int
    balanced: bool = False
    log_target: bool = False
    smooth: bool = False

    @classmethod
    def make(
        cls,
        algorithm: str,
        task: str,
        values: dict[str, Given],
        seed: int,
        *,
        smallest_target: float = 0,
    ) -> "Recipe":
        """Check the values and fill in what depends on the task.

        Raises:
            ParameterError: when the learner is not for the task, or a value is out of range or
                does not fit the task.
        """
        parameters = parse_hyperparameters(algorithm, values).for_task(
            task, smallest_target=smallest_target
        )
        LEARNERS[algorithm].check_task(task)
        smooth = task == "classification" and LEARNERS[algorithm].averages
        return cls(algorithm, task, parameters, seed, smooth=smooth)

    @classmethod
    def of_dataset(
        cls, dataset: Dataset, algorithm: str, values: dict[str, Given], seed: int
    ) -> "Recipe":
        """Make a recipe that fits a data set: its task, class weights and target transform.

        Raises:
            ParameterError: as `make` does.
        """
        spec = dataset.spec
        smallest = float(dataset.training.y.min())
        recipe = cls.make(algorithm, spec.task, values, seed, smallest_target=smallest)
        return replace(
            recipe,
            balanced=spec.class_weight == "balanced",
            log_target=spec.target_transform == "log1p",
        )

    @property
    def learner(self) -> Learner:
        """The table's entry of the algorithm."""
        return LEARNERS[self.algorithm]

    def fit(
        self,
        x: NDArray[np.float32],
        y: Floats,
        *,
        weight: Floats | None = None,
        n_jobs: int = 1,
    ) -> Estimator:
        """Fit; the estimator predicts with one thread.

        Args:
            x: float32 (n, n_features).
            y: float64 (n,), the target in its own unit, or the class index.
            weight: float64 (n,), the rows' weights; None for equal ones.
            n_jobs: threads to fit with.

        Raises:
            TrainerError: when the library is not installed, or refuses the values or the data.
        """
        estimator = self.learner.make_estimator(
            self.parameters, self.task, seed=self.seed, n_jobs=n_jobs
        )
        # With several threads BLAS adds in another order.
        threads = 1 if self.learner.assemble else n_jobs
        weights = {self.learner.weight_argument: self._fit_weight(y, weight)}
        try:
            with _limited_threads(estimator, threads):
                estimator.fit(x, self.learned_target(y), **weights)
        except self.learner.refusals() as error:  # XGBoost's has a stack trace in its text
            reason = str(error).partition("\n")[0]
            raise TrainerError(
                f"{self.algorithm} cannot be fitted: {reason}", hint=_hint_of_refusal(reason)
            ) from error
        if "n_jobs" in estimator.get_params():
            estimator.set_params(n_jobs=1)
        return estimator

    def predict(
        self, estimator: Estimator, x: NDArray[np.float32], *, n_classes: int = 0
    ) -> Floats:
        """Return float64 (n, 1) predictions in the target's unit, or (n, n_classes) probabilities.

        Args:
            estimator: fitted by this recipe.
            x: float32 (n, n_features).
            n_classes: of the data set; by default those that the estimator was fitted on. A class
                that it has not seen gets share 0 before smoothing.
        """
        with _limited_threads(estimator, 1):
            if self.task == "regression":
                predicted = np.asarray(estimator.predict(x), dtype=np.float64)[:, None]
                return self.in_target_unit(predicted)
            shares = np.asarray(estimator.predict_proba(x), dtype=np.float64)
        if shares.shape[1] < n_classes:
            complete = np.zeros((len(x), n_classes))
            complete[:, estimator.classes_.astype(np.int64)] = shares
            shares = complete
        return self.served_shares(estimator, shares)

    def served_shares(self, estimator: Estimator, shares: Floats) -> Floats:
        """Return the class shares that the package gives for those of the fitted estimator."""
        if not self.smooth:
            return shares
        return smooth_shares(shares, n_trees=len(estimator.estimators_), n_classes=shares.shape[1])

    def in_target_unit(self, learned: Floats) -> Floats:
        """Return predictions of what was learned in the target's own unit, as the package does."""
        return from_log(learned) if self.log_target else learned

    def fit_fold(
        self,
        x: NDArray[np.float32],
        y: Floats,
        fold: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        weight: Floats | None = None,
        n_jobs: int = 1,
    ) -> tuple[Estimator, Floats]:
        """Fit on a fold's training rows and predict its test rows; return both."""
        training, test = fold
        known = None if weight is None else weight[training]
        estimator = self.fit(x[training], y[training], weight=known, n_jobs=n_jobs)
        return estimator, self.predict(estimator, x[test], n_classes=int(y.max()) + 1)

    def fold_predictions(
        self,
        x: NDArray[np.float32],
        y: Floats,
        fold: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        weight: Floats | None = None,
    ) -> Floats:
        """Fit on a fold's training rows and return the predictions for its test rows."""
        return self.fit_fold(x, y, fold, weight=weight)[1]

    def learned_target(self, y: Floats) -> NDArray[np.float64] | NDArray[np.int64]:
        """Return what fits learn for a target in its own unit, float64 (n,), or a class index."""
        if self.task == "classification":
            return y.astype(np.int64)
        return np.log1p(y) if self.log_target else y

    def _fit_weight(self, y: Floats, weight: Floats | None) -> Floats | None:
        return balanced_weights(y, weight) if self.balanced else weight


@cache
def library_versions(algorithm: str) -> Mapping[str, str]:
    """Return what decides the bits of a fit besides its recipe: versions, by distribution."""
    versions = {"python": platform.python_version()}
    for name in ("numpy", "pandas", "scikit-learn", "tunegate"):
        versions[name] = version(name)
    learner = LEARNERS[algorithm]
    if learner.extra:  # two distributions may provide it, such as xgboost and xgboost-cpu
        versions[learner.library] = import_module(learner.library).__version__
    return versions


def _limited_threads(estimator: Estimator, n: int) -> AbstractContextManager[object]:
    """Limit the threads of what has no `n_jobs`: it would use every processor in each trial."""
    if "n_jobs" in estimator.get_params():
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(n)
    return limits


def _hint_of_refusal(reason: str) -> str:
    if "NaN" in reason:
        return "this learner takes no missing values: fill them in the table, or use another"
    return ""
