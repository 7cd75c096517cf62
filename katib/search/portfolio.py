"""Points that are good on most data, to begin a search with: for the hyperparameters of a random forest.

Known by scikit-learn's names, and chosen on 33 public data sets so that on each of them one is good: a portfolio, as in
Feurer et al. 2022 (Auto-sklearn 2.0, section 3.1). How, and what it is worth: `benchmarks/portfolio`,
docs/decisions/0005-search.md.
"""

from collections.abc import Mapping, Sequence

from katib.space import Parameter

LEAST = 2  # of the names, by which a forest is known
BOOSTING = {"learning_rate", "eta", "lr"}  # names that no forest has
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


def portfolio(parameters: Sequence[Parameter], settings: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what the space has of each point, name to the nearest value, where it is two values or more; none twice.

    Nothing where the space is not a forest's, or the setting `portfolio` is `none`.
    """
    names = {p.name: plain(p.name) for p in parameters}
    if settings.get("portfolio") == "none" or BOOSTING & set(names.values()):
        return []
    points = [
        {
            p.name: v
            for p in parameters
            if names[p.name] in point and (v := _value(p, point[names[p.name]]))
        }
        for point in FOREST
    ]
    return [
        point for k, point in enumerate(points) if len(point) >= LEAST and point not in points[:k]
    ]


def _value(p: Parameter, value: float) -> str | None:
    """Return the nearest value; none for a share where the space counts, and for a count where it has shares."""
    if p.kind == "categorical" or isinstance(value, bool):
        return p.nearest(value)
    largest = float(p.choices[-1]) if p.choices else p.high
    share = isinstance(value, float)
    shares = p.kind != "int" and largest <= 1
    return p.nearest(value) if share == shares else None


def plain(name: str) -> str:
    """Return a parameter's name as scikit-learn has it: `--max-depth` is `max_depth`."""
    return name.strip("-").replace("-", "_")
