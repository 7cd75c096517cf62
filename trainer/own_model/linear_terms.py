"""Writes a linear model's terms of what its last step sees as terms of the encoded features.

All supported steps are straight lines of one encoded feature, or a number for each category of a
column, so their sums are a linear model of the encoded features again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import FlatLinear
from registry.package.linear import TARGET_ULPS, ULP
from trainer.dataset import Dataset
from trainer.errors import TrainerError
from trainer.learners import Estimator, Given
from trainer.own_model.features import Feature
from trainer.own_model.set_splits import UNKNOWN

Floats = NDArray[np.float64]
Settings = Mapping[str, Any]
STANDARD = "StandardScaler"


def move_terms(
    final: Estimator, features: Sequence[Feature], *, n_features: int, gaps: Mapping[int, str]
) -> FlatLinear:
    """Return a linear model of the encoded features that adds up to what a fitted one does.

    Args:
        final: a fitted linear model of scikit-learn's; its features are those of the last step.
        features: what each of them is made of.
        n_features: width of the encoding.
        gaps: the columns that may be empty, by their encoded feature.

    Raises:
        TrainerError: when an empty cell would count in two ways, or in none.
    """
    weights = np.atleast_2d(np.asarray(final.coef_, dtype=np.float64)).T
    terms = _Terms(n_features, np.atleast_1d(np.asarray(final.intercept_, dtype=np.float64)))
    uses = defaultdict[int, list[int]](list)
    for index, feature in enumerate(features):
        if feature.codes is None:
            uses[feature.source].append(index)
        else:
            terms.add_codes(feature, weights[index])
    for source, used in uses.items():
        own = [features[index] for index in used]
        terms.fill[source] = _filled(own, gaps.get(source, ""))
        if len(used) == 1 and not terms.coefficient[source].any():
            terms.add_scaled(own[0], weights[used[0]])
        else:
            for feature, weight in zip(own, weights[used], strict=True):
                terms.add_line(feature, weight)
    return terms.to_model()


class _Terms:
    """The arrays of a linear model that is being made."""

    def __init__(self, n_features: int, intercept: Floats) -> None:
        self.fill = np.zeros(n_features)
        self.center = np.zeros(n_features)
        self.scale = np.ones(n_features)
        self.coefficient = np.zeros((n_features, len(intercept)))
        self.intercept = intercept.copy()

    def add_scaled(self, feature: Feature, weight: Floats) -> None:
        """Let an encoded feature be centered and divided as the pipeline does it."""
        self.center[feature.source] = -feature.offset / feature.slope
        self.scale[feature.source] = 1 / feature.slope
        self.coefficient[feature.source] = weight

    def add_line(self, feature: Feature, weight: Floats) -> None:
        """Add a term of an encoded feature that has others, too."""
        self.coefficient[feature.source] += weight * feature.slope
        self.intercept += weight * feature.offset

    def add_codes(self, feature: Feature, weight: Floats) -> None:
        """Add the number of a category to the 0/1 column that tells it; unknown ones have none."""
        codes = feature.codes or {}
        numbers = dict(zip(codes, feature.value(np.array(list(codes.values()))), strict=True))
        if np.isnan(list(numbers.values())).any():
            raise TrainerError(
                "an encoder gives NaN for missing or unknown categories, "
                "which a linear model cannot take",
                hint="give it a number, or put a SimpleImputer after the encoder",
            )
        self.intercept += weight * numbers[UNKNOWN]
        for place in numbers.keys() - {UNKNOWN}:
            self.coefficient[place] += weight * (numbers[place] - numbers[UNKNOWN])

    def to_model(self) -> FlatLinear:
        return FlatLinear(
            fill=self.fill,
            center=self.center,
            scale=self.scale,
            coefficient=self.coefficient,
            intercept=self.intercept,
            n_features=len(self.fill),
        )


def _filled(features: Sequence[Feature], column: str) -> float:
    """Return what an empty cell of a column counts as, in the column's own unit."""
    if not column:
        return 0.0
    found = [
        (float(feature.value(np.array([np.nan]))[0]) - feature.offset) / feature.slope
        for feature in features
    ]
    if np.isnan(found).any():
        raise TrainerError(
            f"column {column} may be empty, and no step fills it",
            hint="put a SimpleImputer before the model",
        )
    if not np.allclose(found, found[0], rtol=1e-9):
        raise TrainerError(
            f"column {column}: its empty cells are filled in two ways, which a package cannot hold",
            hint="fill it once",
        )
    return found[0]


def line_rounding(model: FlatLinear, x: NDArray[np.float32]) -> Floats:
    """Return how far a package's sums may differ from the pipeline's: float64 (n, n_outputs).

    That is `FlatLinear.rounding`, and as much again for what centering takes away: the pipeline
    may center before it divides, or after.
    """
    taken = np.abs(model.center / model.scale) @ np.abs(model.coefficient)
    found: Floats = model.rounding(x) + (model.n_features + TARGET_ULPS) * ULP * taken
    return found


def learner_settings(
    name: str, settings: Settings, features: Sequence[Feature], dataset: Dataset
) -> dict[str, Given]:
    """Return a linear model's hyperparameters as its learner has them, so that it can be refitted.

    scikit-learn's penalties are in the target's unit, the learners' in its standard deviations:
    of lasso and elastic net, `alpha * l1_ratio` is divided by it, `alpha * (1 - l1_ratio)` is not.

    Raises:
        TrainerError: when columns are scaled in a way that no learner has.
    """
    found: dict[str, Given] = {**settings, "scale": _scaling(name, features)}
    deviation = float(np.std(dataset.training.y)) if not dataset.classes else 1.0
    if name == "lasso":
        found["alpha"] = settings["alpha"] / deviation
    if name == "elastic_net":
        first = settings["alpha"] * settings["l1_ratio"] / deviation
        found["alpha"] = first + settings["alpha"] * (1 - settings["l1_ratio"])
        found["l1_ratio"] = first / found["alpha"]
    return found


def _scaling(name: str, features: Sequence[Feature]) -> str:
    """Return which columns are scaled: `all`, `numbers` or `none`; encoders' numbers are no matter.

    Raises:
        TrainerError: when it is none of these.
    """
    lines = [feature for feature in features if feature.codes is None]
    scalers = {feature.scaler for feature in lines}
    if scalers <= {""}:
        return "none"
    if scalers == {STANDARD}:
        return "all"
    unscaled = {feature.is_category for feature in lines if not feature.scaler}
    scaled = {feature.is_category for feature in lines if feature.scaler}
    if scalers == {STANDARD, ""} and (unscaled, scaled) == ({True}, {False}):
        return "numbers"
    raise TrainerError(
        f"columns are scaled in a way that the gate could not repeat for {name}",
        hint="use a StandardScaler, for all columns, for all but the categories, or for none",
    )
