"""`python -m benchmarks.portfolio.boosters`: choose known points for boosters on the same tables.

Each of `LEARNERS` is fitted with its defaults and the same points of a Sobol sequence over the
ranges that its own table states, on three folds of each table; what was fitted is kept below
`.cache/search/boosters`, so a run that was stopped goes on. Points are chosen as forests are
(`benchmarks.portfolio.choose`). It takes half an hour of CPU time.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks.portfolio.choose import chosen_places, held_out, regrets, without_each
from benchmarks.portfolio.sets import SOURCES
from benchmarks.search.data import Data
from benchmarks.search.tables import CACHE
from trainer.learners import LEARNERS
from trainer.learners.parameters import Searched
from trainer.recipe import Recipe

BOOSTERS = ("hist_gradient_boosting", "lightgbm", "xgboost")
POINTS = 32
FOLDS = 3
MOST_CLASSES = 8  # each has trees of its own: with 32 a fit takes half a minute
DIGITS = 3  # significant ones of a point's numbers
Point = Mapping[str, float]


def main() -> None:
    """Fit what is missing, choose, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=3, help="how many to choose for a learner")
    count = parser.parse_args().points
    loaded = [source.load() for source in SOURCES]
    tables = [data for data in loaded if _n_classes(data) <= MOST_CLASSES]
    print(f"{len(tables)} tables of {len(loaded)}: at most {MOST_CLASSES} classes")
    for name in BOOSTERS:
        points = drawn_points(name)
        losses = np.stack([table_losses(name, data, points) for data in tables])
        found = regrets(losses)
        others = found[:, 1:]
        default = found[:, 0]
        alone = chosen_places(others, np.ones(len(tables)), 1)[0]
        chosen = chosen_places(others, default, count)
        held = held_out(others, default, without_each(others, default, count))
        first = without_each(others, np.ones(len(tables)), 1)
        best_first = held_out(others, np.ones(len(tables)), first)
        print(f"\n{name}\n  best alone: {points[1:][alone]}")
        for place in chosen:
            print(f"  then: {points[1:][place]}")
        print(
            f"  mean regret: default {default.mean():.2f}, best alone {best_first.mean():.2f}, "
            f"default and {count} chosen without the table {held.mean():.2f}"
        )


def drawn_points(name: str) -> list[Point]:
    """Return the learner's defaults, which are {}, and `POINTS` points of what it searches."""
    searched = {
        field: each
        for field, info in LEARNERS[name].parameters.model_fields.items()
        for each in info.metadata
        if isinstance(each, Searched)
    }
    unit = qmc.Sobol(len(searched), rng=0).random(POINTS)
    defaults = LEARNERS[name].parameters().model_dump()
    points: list[Point] = [{}]
    for row in unit.tolist():
        point = {}
        for share, (field, where) in zip(row, searched.items(), strict=True):
            value = _value_at(share, where)
            point[field] = round(value) if isinstance(defaults[field], int) else value
        points.append(point)
    return points


def table_losses(name: str, data: Data, points: Sequence[Point]) -> NDArray[np.float64]:
    """Return each point's cross-validated loss, float64 (points,), perhaps from the cache."""
    path = CACHE / "boosters" / f"{name}-{data.name}.npy"
    if path.exists():
        found: NDArray[np.float64] = np.load(path)
        return found
    losses = np.array([_cross_validated_loss(name, data, point) for point in points])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, losses)
    print(f"{name} {data.name}", file=sys.stderr)
    return losses


def _cross_validated_loss(name: str, data: Data, point: Point) -> float:
    losses = []
    for fitted, left_out in _folds(data):
        recipe = Recipe.make(name, data.task, dict(point), 0)
        model = recipe.fit(data.x[fitted], data.y[fitted])
        if data.task == "regression":
            losses.append(mean_squared_error(data.y[left_out], model.predict(data.x[left_out])))
        else:
            shares = model.predict_proba(data.x[left_out])
            losses.append(log_loss(data.y[left_out], shares, labels=np.unique(data.y)))
    return float(np.mean(losses))


def _folds(data: Data) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    kind = KFold if data.task == "regression" else StratifiedKFold
    return list(kind(FOLDS, shuffle=True, random_state=0).split(data.x, data.y))


def _value_at(share: float, where: Searched) -> float:
    if where.log:
        value = where.low * (where.high / where.low) ** share
    else:
        value = where.low + (where.high - where.low) * share
    return float(f"{value:.{DIGITS}g}")


def _n_classes(data: Data) -> int:
    return 0 if data.task == "regression" else len(np.unique(data.y))


if __name__ == "__main__":
    main()
