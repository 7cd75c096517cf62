"""Points that are good on most data, to begin a search for hyperparameters.

They go by the library's own names. Those of random forests were chosen on 33 public data sets so
that on each of them one is good: a portfolio, as in Feurer et al. 2022 (Auto-sklearn 2.0, section
3.1). How, and what it is worth: `benchmarks/portfolio`, docs/decisions/0005-search.md.

Boosters have points of their own, chosen in the same way on 32 of the sets
(`benchmarks.portfolio.boosters`). A search over families of models begins with one point of each:
the first of its own, the library's defaults where there are none, and for a family that is not
known any point of it.
"""

from collections.abc import Callable, Mapping, Sequence

from katib.search.families import family_parameters, model_parameter, sklearn_name
from katib.space import Parameter

Nearest = Callable[[Parameter, float], str | None]
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
_SAMPLING = ("subsample", "colsample_bytree", "reg_lambda")


def _points(
    names: Sequence[str], *values: Sequence[float | None]
) -> tuple[Mapping[str, float], ...]:
    return tuple(
        {n: v for n, v in zip(names, each, strict=True) if v is not None} for each in values
    )


FOREST = _points(_NAMES, *_VALUES)

KNOWN_BY = {  # a name that no other learner has
    "hist_gradient_boosting": "max_iter",
    "lightgbm": "num_leaves",
    "xgboost": "min_child_weight",
}
BOOSTERS: dict[str, Sequence[Mapping[str, float]]] = {
    "hist_gradient_boosting": _points(
        (
            "max_iter",
            "learning_rate",
            "max_leaf_nodes",
            "min_samples_leaf",
            "l2_regularization",
            "max_features",
        ),
        (244, 0.0144, 6, 16, 0.00148, 0.223),
        (158, 0.0186, 9, 1, 0.252, 0.374),
        (338, 0.067, 5, 7, 0.0217, 0.805),
    ),
    "lightgbm": _points(
        ("n_estimators", "num_leaves", "learning_rate", "min_child_samples", *_SAMPLING),
        (86, 53, 0.0251, 6, 0.522, 0.653, 0.0338),
        (269, 7, 0.0261, 2, 0.71, 0.78, 0.00912),
        (295, 22, 0.0219, 15, 0.547, 0.563, 0.788),
    ),
    "xgboost": _points(
        ("n_estimators", "max_depth", "learning_rate", "min_child_weight", *_SAMPLING),
        (269, 3, 0.0261, 0.2, 0.71, 0.78, 0.00912),
        (73, 3, 0.0814, 6.58, 0.945, 0.623, 0.00301),
        (356, 9, 0.0159, 0.387, 0.658, 0.906, 0.226),
    ),
}
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
    **{name: points[0] for name, points in BOOSTERS.items()},
    # Ranges of penalties are so wide that a point drawn from them says nothing of the family.
    "ridge": {"alpha": 1.0},
    "lasso": {"alpha": 0.01},
    "elastic_net": {"alpha": 0.01, "l1_ratio": 0.5},
    "logistic": {"C": 1.0},
}


def portfolio_points(
    parameters: Sequence[Parameter], settings: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return the known points, each as far as the space has it: name to the nearest value.

    Points of which the space has fewer than two values are left out, and none comes twice. Returns
    nothing where the space is neither a forest's nor a known booster's nor has families, or the
    setting `portfolio` is `none`.
    """
    if settings.get("portfolio") == "none":
        return []
    if families := family_points(parameters):
        return families
    names = {sklearn_name(p.name) for p in parameters}
    if BOOSTING_NAMES & names:
        known = next((booster for booster, name in KNOWN_BY.items() if name in names), "")
        found = [
            _point_in_space(point, parameters, Parameter.nearest)
            for point in BOOSTERS.get(known, ())
        ]
    else:
        found = [_point_in_space(forest, parameters, _nearest_value) for forest in FOREST]
    points: list[dict[str, str]] = []
    for point in found:
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


def _point_in_space(
    known: Mapping[str, float], parameters: Sequence[Parameter], nearest: Nearest
) -> dict[str, str]:
    point = dict[str, str]()
    for p in parameters:
        name = sklearn_name(p.name)
        value = nearest(p, known[name]) if name in known else None
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
