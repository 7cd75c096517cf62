"""Points that are good on most data, to begin a search for a random forest's hyperparameters.

They go by scikit-learn's names, and were chosen on 33 public data sets so that on each of them one
is good: a portfolio, as in Feurer et al. 2022 (Auto-sklearn 2.0, section 3.1). How, and what it is
worth: `benchmarks/portfolio`, docs/decisions/0005-search.md.

A search over families of models begins with one point of each: the first of these for a random
forest, the libraries' defaults for others, and for a family that is not known any point of it.
"""

from collections.abc import Mapping, Sequence

from katib.search.families import family_parameters, model_parameter, sklearn_name
from katib.space import Parameter

LEAST_NAMES = 2  # that make a space a forest's
BOOSTING_NAMES = {"learning_rate", "eta", "lr"}  # that no forest has
_NAMES = (
    "max_features",
    "min_samples_leaf",
    "min_samples_split",
    "max_depth",
    "bootstrap",
    "max_samples",
)
_VALUES: tuple[tuple[float | None, ...], ...] = (
    (0.35, 1, 2, 7, False, None),
    (1.0, 2, 2, 10, True, 0.7),
    (0.25, 2, 2, 25, True, 1.0),
    (0.45, 1, 20, 6, True, 0.7),
    (0.35, 1, 3, 25, True, 1.0),
    (1.0, 8, 2, 4, True, 0.6),
    (0.35, 5, 11, 20, False, None),
)
FOREST = tuple(
    {n: v for n, v in zip(_NAMES, values, strict=True) if v is not None} for values in _VALUES
)

_BOOSTING = {"learning_rate": 0.1, "subsample": 1.0, "colsample_bytree": 1.0}
FAMILIES: dict[str, Mapping[str, float]] = {
    "random_forest": FOREST[0],
    "extra_trees": {
        "max_features": 1.0,
        "min_samples_leaf": 1,
        "min_samples_split": 2,
        "max_depth": 1000,
        "bootstrap": False,
    },
    "gradient_boosting": {
        "learning_rate": 0.1,
        "subsample": 1.0,
        "n_estimators": 100,
        "max_depth": 3,
    },
    "hist_gradient_boosting": {
        "max_iter": 100,
        "learning_rate": 0.1,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "max_features": 1.0,
    },
    "lightgbm": {**_BOOSTING, "n_estimators": 100, "num_leaves": 31, "min_child_samples": 20},
    "xgboost": {
        **_BOOSTING,
        "n_estimators": 100,
        "max_depth": 6,
        "min_child_weight": 1.0,
        "reg_lambda": 1.0,
    },
}


def portfolio_points(
    parameters: Sequence[Parameter], settings: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return the known points, each as far as the space has it: name to the nearest value.

    Points of which the space has fewer than two values are left out, and none comes twice. Returns
    nothing where the space is neither a forest's nor has families, or the setting `portfolio` is
    `none`.
    """
    if settings.get("portfolio") == "none":
        return []
    if families := family_points(parameters):
        return families
    if BOOSTING_NAMES & {sklearn_name(p.name) for p in parameters}:
        return []
    points: list[dict[str, str]] = []
    for forest in FOREST:
        point = _point_in_space(forest, parameters)
        if len(point) >= LEAST_NAMES and point not in points:
            points.append(point)
    return points


def family_points(parameters: Sequence[Parameter]) -> list[dict[str, str]]:
    """Return one point of each family of models, in the order in which the space lists them.

    Each is as complete as it is known; returns nothing where the space has no families.
    """
    choices = {p.name: p.choices for p in parameters}
    found = family_parameters(choices)
    if not found:
        return []
    parent = model_parameter(choices)
    points = [{parent: family} for family in choices[parent]]
    for p in parameters:
        family, name = found.get(p.name, ("", ""))
        known = FAMILIES.get(sklearn_name(family), {})
        value = p.nearest(known[name]) if name in known else None
        if value:
            points[choices[parent].index(family)][p.name] = value
    return points


def _point_in_space(forest: Mapping[str, float], parameters: Sequence[Parameter]) -> dict[str, str]:
    point = dict[str, str]()
    for p in parameters:
        name = sklearn_name(p.name)
        value = _nearest_value(p, forest[name]) if name in forest else None
        if value:
            point[p.name] = value
    return point


def _nearest_value(p: Parameter, value: float) -> str | None:
    """Return the nearest value.

    None for a share where the space counts, and for a count where the space has shares.
    """
    if p.kind == "categorical" or isinstance(value, bool):
        return p.nearest(value)
    largest = float(p.choices[-1]) if p.choices else p.high
    has_shares = p.kind != "int" and largest <= 1
    if isinstance(value, float) == has_shares:
        return p.nearest(value)
    return None
