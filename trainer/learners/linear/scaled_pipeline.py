"""scikit-learn's pipeline around a linear model, and how a fitted one becomes a package.

Gaps are filled with the column's mean, columns are scaled to mean 0 and standard deviation 1, in
float64, unless `scale` leaves some as they are. The target of a regression is scaled too, so that a
penalty means the same whatever the target's unit.
"""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from registry.package import FlatLinear, Output
from trainer.learners.learner import MODEL_STEP, Estimator
from trainer.learners.parameters import Hyperparameters

LibraryPipeline = Any  # sklearn.pipeline.Pipeline, which has no type
FILL_STEP = "fill"
SCALE_STEP = "scale"


def to_float64(x: ArrayLike) -> NDArray[np.float64]:
    """Return a copy of encoded features as float64; all later steps may write into it."""
    return np.array(x, dtype=np.float64)


class ScaledColumns(Hyperparameters):
    """What all linear learners have besides their library's own hyperparameters."""

    scale: Annotated[
        Literal["all", "numbers", "none"],
        Field(description="all, numbers (0/1 columns stay as they are), or none"),
    ] = "all"


OF_PIPELINE = tuple(ScaledColumns.model_fields)


def scaled_features(model: Estimator, parameters: ScaledColumns) -> Estimator:
    """Return a pipeline of float64, imputer, scaler and an unfitted linear model."""
    from sklearn.impute import SimpleImputer  # noqa: PLC0415 - the command line starts without it
    from sklearn.pipeline import Pipeline  # noqa: PLC0415 - as above
    from sklearn.preprocessing import FunctionTransformer  # noqa: PLC0415 - as above

    return Pipeline(
        [
            ("float64", FunctionTransformer(to_float64)),
            # A fold's training rows may have no value of a column at all.
            (FILL_STEP, SimpleImputer(keep_empty_features=True, copy=False)),
            (SCALE_STEP, _make_scaler(parameters.scale)),
            (MODEL_STEP, model),
        ]
    )


def _make_scaler(scale: str) -> Estimator:
    from trainer.learners.linear.column_scaler import ColumnScaler  # noqa: PLC0415 - as above

    return ColumnScaler(scale)


def scaled_features_and_target(model: Estimator, parameters: ScaledColumns) -> Estimator:
    """Return a regression that also scales its target, and its predictions back."""
    from sklearn.compose import TransformedTargetRegressor  # noqa: PLC0415 - as above
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - as above

    return TransformedTargetRegressor(
        scaled_features(model, parameters), transformer=StandardScaler(), check_inverse=False
    )


def flatten_linear(estimator: Estimator, n_features: int) -> tuple[FlatLinear, Output]:
    """Return a fitted pipeline's model; the target's scaling becomes part of the coefficients."""
    if hasattr(estimator, "regressor_"):
        target = estimator.transformer_
        return _flatten_pipeline(
            estimator.regressor_,
            n_features,
            deviation=float(target.scale_[0]),
            mean=float(target.mean_[0]),
        ), Output(combine="sum")
    return _flatten_pipeline(estimator, n_features), output_of_linear(estimator)


def output_of_linear(estimator: Estimator) -> Output:
    """Return how the sums of a fitted linear model become numbers, or shares of its classes."""
    n_classes = len(getattr(estimator, "classes_", ()))
    if n_classes == 0:
        return Output(combine="sum")
    if n_classes == 2:  # noqa: PLR2004 - two classes
        return Output(combine="sum", link="logistic")
    return Output(combine="sum", link="softmax")


def _flatten_pipeline(
    pipeline: LibraryPipeline, n_features: int, *, deviation: float = 1.0, mean: float = 0.0
) -> FlatLinear:
    steps = pipeline.named_steps
    model = steps[MODEL_STEP]
    return FlatLinear(
        fill=np.asarray(steps[FILL_STEP].statistics_, dtype=np.float64),
        center=steps[SCALE_STEP].mean_,
        scale=steps[SCALE_STEP].scale_,
        coefficient=np.atleast_2d(model.coef_).T * deviation,
        intercept=np.atleast_1d(model.intercept_) * deviation + mean,
        n_features=n_features,
    )
