"""A recipe: learner, hyperparameters and seed. It fits the same trees in any process.

`n_jobs` threads fit, but one predicts: several add in any order, so that the last bit differs
(measured: equal in 0 of 7 cases of regression).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import KFold, StratifiedKFold

from registry.package.losses import Floats
from trainer.errors import TrainerError
from trainer.flatten import Estimator
from trainer.hyperparameters import Given, Hyperparameters, RandomForest, parse_hyperparameters


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a model; `parameters` are complete for the task."""

    algorithm: str
    task: str
    parameters: Hyperparameters
    seed: int

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
            ParameterError: when a value is out of range, or does not fit the task.
        """
        parameters = parse_hyperparameters(algorithm, values).for_task(
            task, smallest_target=smallest_target
        )
        return cls(algorithm, task, parameters, seed)

    def fit(self, x: NDArray[np.float32], y: Floats, *, n_jobs: int = 1) -> Estimator:
        """Fit on float32 (n, n_features) and float64 (n,); the estimator predicts with one thread.

        Raises:
            TrainerError: when the library is not installed, or refuses the values or the data.
        """
        estimator = self._make_estimator(n_jobs)
        try:
            estimator.fit(x, y if self.task == "regression" else y.astype(np.int64))
        except ValueError as error:  # also XGBoost's, with a stack trace in its text
            reason = str(error).partition("\n")[0]
            raise TrainerError(f"{self.algorithm} cannot be fitted: {reason}") from error
        estimator.set_params(n_jobs=1)
        return estimator

    def predict(self, estimator: Estimator, x: NDArray[np.float32]) -> Floats:
        """Return float64 (n, 1) predictions or (n, n_classes) probabilities."""
        if self.task == "regression":
            return np.asarray(estimator.predict(x), dtype=np.float64)[:, None]
        return np.asarray(estimator.predict_proba(x), dtype=np.float64)

    def folds(
        self, y: Floats, *, n: int, seed: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Split row numbers into n shuffled folds: (training, test); classes keep their shares.

        Raises:
            TrainerError: when there are more folds than rows, or than rows of any class.
        """
        kind = KFold if self.task == "regression" else StratifiedKFold
        try:
            return list(kind(n_splits=n, shuffle=True, random_state=seed).split(y[:, None], y))
        except ValueError as error:
            raise TrainerError(
                f"{n} folds are too many for these data: {error}", hint="use fewer folds"
            ) from error

    def fold_predictions(
        self,
        x: NDArray[np.float32],
        y: Floats,
        fold: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        n_jobs: int = 1,
    ) -> Floats:
        """Fit on a fold's training rows and predict its test rows."""
        training, test = fold
        return self.predict(self.fit(x[training], y[training], n_jobs=n_jobs), x[test])

    def _make_estimator(self, n_jobs: int) -> Estimator:
        settings = {**self.parameters.model_dump(), "random_state": self.seed, "n_jobs": n_jobs}
        regression = self.task == "regression"
        if isinstance(self.parameters, RandomForest):
            forest = RandomForestRegressor if regression else RandomForestClassifier
            return forest(**settings)
        try:
            import xgboost  # noqa: PLC0415 - an optional extra
        except ImportError as error:
            hint = "install tunegate with the extra `xgboost`"
            raise TrainerError(
                "--model xgboost: the package xgboost is not installed", hint=hint
            ) from error
        boosted = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
        return boosted(**settings, tree_method="hist")
