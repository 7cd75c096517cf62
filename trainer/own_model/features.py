"""What the last step of a fitted pipeline sees, in terms of a package's encoded features.

A supported step never mixes columns: each feature that it makes is a rising function of one
encoded feature, so that a tree's test of it is a test of that encoded feature with another
threshold; or it is a number for each category of one column, so that a test divides the categories.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_array

from registry.package import Column
from trainer.errors import TrainerError
from trainer.own_model.set_splits import UNKNOWN

Step = Any  # a fitted transformer
Floats = NDArray[np.float64]
HINT = "docs/models.md lists the steps that are supported; take this one out, or do it in the data"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature that a step gives on.

    Attributes:
        source: index of the encoded feature that it is made of.
        value: the rising function from the encoded feature, float64, NaN where missing.
        scaled: whether it is more than the encoded feature with its gaps filled, or than a small
            whole number.
        codes: of a column whose categories have become numbers, what `value` is given, by the
            category's encoded feature, and by `UNKNOWN`; `source` is the column's first one.
        slope: what `value` multiplies a number by; all supported steps are straight lines.
        offset: what it adds.
        scaler: the class of the last scaler that divided it; empty if none did.
        is_category: whether it tells by 0 and 1 that a cell is of a category.
    """

    source: int
    value: Callable[[Floats], Floats]
    scaled: bool = False
    codes: Mapping[int, float] | None = None
    slope: float = 1.0
    offset: float = 0.0
    scaler: str = ""
    is_category: bool = False


Inputs = Mapping[str, int | Mapping[str, int]]  # a feature a column, or one a category


def identity(values: Floats) -> Floats:
    """Return values as they are."""
    return values


def column_inputs(columns: Sequence[Column]) -> Inputs:
    """Return, by column, the encoded feature's index; of a categorical column one a category."""
    found: dict[str, int | Mapping[str, int]] = {}
    at = 0
    for column in columns:
        if column.kind == "categorical":
            found[column.name] = {text: at + i for i, text in enumerate(column.categories)}
        elif column.width == 1:
            found[column.name] = at
        at += column.width
    return found


def follow_steps(steps: Sequence[Step], names: Sequence[str], inputs: Inputs) -> list[Feature]:
    """Return what the step after these sees.

    Args:
        steps: fitted transformers, in order.
        names: the columns that the first one sees.
        inputs: see `column_inputs`.

    Raises:
        TrainerError: naming the step that is not supported, and why.
    """
    if not steps:
        return [_number(name, inputs) for name in names]
    first, *rest = steps
    features = _from_columns(first, names, inputs)
    for step in rest:
        features = _from_features(step, features)
    return features


def _number(name: str, inputs: Inputs) -> Feature:
    source = inputs.get(name)
    if not isinstance(source, int):
        raise TrainerError(
            f"column {name}: categories, dates and texts reach a step that takes numbers",
            hint="encode categories by a OneHotEncoder in a ColumnTransformer",
        )
    return Feature(source, identity)


def _from_columns(step: Step, names: Sequence[str], inputs: Inputs) -> list[Feature]:
    """Return what a step makes of raw columns."""
    kind = type(step).__name__
    if kind == "Pipeline":
        return follow_steps([each for _, each in step.steps], names, inputs)
    if kind == "ColumnTransformer":
        return _column_transformer(step, names, inputs)
    if kind == "OneHotEncoder":
        return _one_hot(step, names, inputs)
    if kind in ENCODERS:
        return ENCODERS[kind](step, names, inputs)
    return _from_features(step, [_number(name, inputs) for name in names])


def _from_features(step: Step, features: list[Feature]) -> list[Feature]:
    kind = type(step).__name__
    if isinstance(step, str) or (kind == "FunctionTransformer" and _changes_nothing(step)):
        return features  # "passthrough", also as a fitted ColumnTransformer writes it
    if kind == "ColumnTransformer":
        return [
            feature
            for _, each, chosen in _parts(step)
            for feature in _from_features(each, [features[at] for at in _places(chosen)])
        ]
    if kind not in STEPS:
        raise TrainerError(f"the step {kind} cannot be packaged", hint=HINT)
    return STEPS[kind](step, features)


def _changes_nothing(step: Step) -> bool:
    """Whether a FunctionTransformer gives on what it gets, as that of histogram boosting does."""
    function = getattr(step.func, "func", step.func)  # of functools.partial
    return function is None or function is check_array


def _column_transformer(step: Step, names: Sequence[str], inputs: Inputs) -> list[Feature]:
    found: list[Feature] = []
    for _, each, chosen in _parts(step):
        columns = [
            place if isinstance(place, str) else names[place]
            for place in ([chosen] if isinstance(chosen, str) else _places(chosen))
        ]
        found += _from_columns(each, columns, inputs)
    return found


def _parts(step: Step) -> list[tuple[str, Step, Any]]:
    """Return name, transformer and columns of a ColumnTransformer's parts that are not dropped."""
    return [
        part for part in step.transformers_ if not isinstance(part[1], str) or part[1] != "drop"
    ]


def _places(chosen: Sequence[Any]) -> list[Any]:
    """Return columns as names or indices; they may be chosen by a mask."""
    given = np.asarray(chosen)
    if given.dtype == np.bool_:
        return np.flatnonzero(given).tolist()
    return list(chosen)


def _one_hot(step: Step, names: Sequence[str], inputs: Inputs) -> list[Feature]:
    limits = (step.drop_idx_, step.min_frequency, step.max_categories)
    if any(each is not None for each in limits):
        raise TrainerError(
            "OneHotEncoder with `drop`, `min_frequency` or `max_categories` cannot be packaged",
            hint="leave them out",
        )
    found = []
    for name, categories in zip(names, step.categories_, strict=True):
        source = inputs.get(name)
        for category in categories:
            if not isinstance(source, Mapping) or category not in source:
                raise TrainerError(
                    f"OneHotEncoder: column {name} has no category {category!r} in the data set",
                    hint="fit it on the data set's training part, without missing categories",
                )
            found.append(Feature(source[category], identity, is_category=True))
    return found


def _ordinal(step: Step, names: Sequence[str], inputs: Inputs) -> list[Feature]:
    if step.min_frequency is not None or step.max_categories is not None:
        raise TrainerError(
            "OrdinalEncoder with `min_frequency` or `max_categories` cannot be packaged",
            hint="leave them out",
        )
    unknown = None
    if step.handle_unknown == "use_encoded_value":
        unknown = float(step.unknown_value)
    found = []
    for name, categories in zip(names, step.categories_, strict=True):
        numbers = np.arange(len(categories), dtype=np.float64)
        numbers[pd.isna(categories)] = step.encoded_missing_value
        codes = _codes("OrdinalEncoder", name, inputs, categories, numbers, unknown)
        scaled = any(code != np.float32(code) for code in codes.values() if not np.isnan(code))
        found.append(Feature(min(codes.keys() - {UNKNOWN}), identity, scaled, codes))
    return found


def _renumbered(step: Step, features: list[Feature]) -> list[Feature]:
    """Return categories' numbers as an OrdinalEncoder numbers them again."""
    found = []
    for feature, known in zip(features, step.categories_, strict=True):
        if feature.codes is None:
            raise TrainerError(
                "OrdinalEncoder: a column of numbers cannot be packaged as categories",
                hint='name it in `categorical = ["..."]` of the data set, and encode it',
            )
        order = {number: place for place, number in enumerate(known.tolist())}
        values = feature.value(np.array(list(feature.codes.values()))).tolist()
        codes = {
            place: float(order.get(value, np.nan))
            for place, value in zip(feature.codes, values, strict=True)
        }
        found.append(replace(feature, value=identity, codes=codes))
    return found


def _target(step: Step, names: Sequence[str], inputs: Inputs) -> list[Feature]:
    means = np.atleast_1d(step.target_mean_).tolist()
    found = []
    for place, (name, categories) in enumerate(zip(names, step.categories_, strict=True)):
        for k, mean in enumerate(means):
            numbers = np.asarray(step.encodings_[place * len(means) + k], dtype=np.float64)
            codes = _codes("TargetEncoder", name, inputs, categories, numbers, mean)
            found.append(Feature(min(codes.keys() - {UNKNOWN}), identity, scaled=True, codes=codes))
    return found


def _codes(
    step: str,
    name: str,
    inputs: Inputs,
    categories: NDArray[Any],
    numbers: Floats,
    unknown: float | None,
) -> Mapping[int, float]:
    """Return each category's number; a package cannot tell unknown and missing ones apart."""
    source = inputs.get(name)
    if not isinstance(source, Mapping):
        raise TrainerError(f"{step}: column {name} has no categories", hint=HINT)
    missing = pd.isna(categories)
    other = unknown
    if missing.any():
        gap = float(numbers[missing][0])
        if unknown is not None and not np.array_equal(gap, unknown, equal_nan=True):
            raise TrainerError(
                f"{step}: column {name} has another number for missing categories than for "
                "unknown ones, which a package cannot tell apart",
                hint="write a category of their own into the data, or use a OneHotEncoder",
            )
        other = gap
    if other is None:  # scikit-learn would refuse the row
        other = np.nan
    found = dict(zip(categories[~missing].tolist(), numbers[~missing].tolist(), strict=True))
    if lacking := [category for category in found if category not in source]:
        raise TrainerError(
            f"{step}: column {name} has no category {lacking[0]!r} in the data set",
            hint="fit it on the data set's training part",
        )
    return {UNKNOWN: other, **{at: found.get(text, other) for text, at in source.items()}}


def _imputed(step: Step, features: list[Feature]) -> list[Feature]:
    if step.add_indicator or not np.isreal(step.missing_values):
        raise TrainerError(
            "SimpleImputer with `add_indicator`, or of other missing values than NaN, "
            "cannot be packaged",
            hint="leave it out",
        )
    filled = np.asarray(step.statistics_, dtype=np.float64)
    if np.isnan(filled).any():
        raise TrainerError(
            "SimpleImputer: a column without values cannot be packaged", hint="drop the column"
        )
    return [
        replace(each, value=_fill(each.value, value))
        for each, value in zip(features, filled.tolist(), strict=True)
    ]


def _fill(before: Callable[[Floats], Floats], filled: float) -> Callable[[Floats], Floats]:
    def value(x: Floats) -> Floats:
        seen = before(x)
        return np.where(np.isnan(seen), filled, seen)

    return value


def _standardised(step: Step, features: list[Feature]) -> list[Feature]:
    center = np.zeros(len(features)) if step.mean_ is None else step.mean_
    scale = np.ones(len(features)) if step.scale_ is None else step.scale_
    if not step.with_mean:
        center = np.zeros(len(features))
    return [
        replace(
            each,
            value=_shift(each.value, float(c), float(s)),
            scaled=True,
            slope=each.slope / float(s),
            offset=(each.offset - float(c)) / float(s),
            scaler=each.scaler if step.scale_ is None else type(step).__name__,
        )
        for each, c, s in zip(features, center, scale, strict=True)
    ]


def _shift(
    before: Callable[[Floats], Floats], center: float, scale: float
) -> Callable[[Floats], Floats]:
    return lambda x: (before(x) - center) / scale


def _min_max(step: Step, features: list[Feature]) -> list[Feature]:
    if step.clip:
        raise TrainerError("MinMaxScaler with `clip` cannot be packaged", hint="leave `clip` out")
    return [
        replace(
            each,
            value=_stretch(each.value, float(scale), float(low)),
            scaled=True,
            slope=each.slope * float(scale),
            offset=each.offset * float(scale) + float(low),
            scaler=type(step).__name__,
        )
        for each, scale, low in zip(features, step.scale_, step.min_, strict=True)
    ]


def _stretch(
    before: Callable[[Floats], Floats], scale: float, low: float
) -> Callable[[Floats], Floats]:
    return lambda x: before(x) * scale + low


ENCODERS: Mapping[str, Callable[[Step, Sequence[str], Inputs], list[Feature]]] = {
    "OrdinalEncoder": _ordinal,
    "TargetEncoder": _target,
}
STEPS: Mapping[str, Callable[[Step, list[Feature]], list[Feature]]] = {
    "SimpleImputer": _imputed,
    "StandardScaler": _standardised,
    "MinMaxScaler": _min_max,
    "OrdinalEncoder": _renumbered,
}
