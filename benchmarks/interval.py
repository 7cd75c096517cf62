"""Which prediction interval: coverage, width and interval score of three forms.

All are made from out-of-fold residuals.

    python benchmarks/interval.py [--splits 20] [--trees 100]

Each split fits on four fifths of a data set's training part and looks at the other fifth, which
neither the forest nor the interval has seen. The forms, all with the finite-sample quantile of the
scores (Vovk 2015; Barber et al. 2021):

constant  one half-width, the quantile of |residual|
level     half-width follows the prediction: mean |residual| in five bins of the prediction, joined
          by straight lines
spread    half-width follows the standard deviation of the trees' own answers, random forests alone

The interval score (Gneiting and Raftery 2007) is the width plus 2/alpha times what an observation
lies outside; lower is better. `thirds` is the coverage in the lower, middle and upper third of the
predictions.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from sklearn.model_selection import ShuffleSplit

from trainer.dataset import load_dataset
from trainer.folds import shuffled_folds
from trainer.recipe import Recipe

COVERAGE = 0.9
BINS = 5
Floats = NDArray[np.float64]
Scale = Callable[
    [Floats, Floats], Floats
]  # (predictions, spreads) -> what a half-width is in proportion to


def main() -> None:
    """Print one line a data set, learner and form."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--trees", type=int, default=100)
    arguments = parser.parse_args()
    print(
        "| data | learner | form | coverage | thirds | width / sd of y | interval score / sd of y |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (x, y) in data_sets():
        for algorithm in ("random_forest", "xgboost"):
            recipe = Recipe.make(algorithm, "regression", {"n_estimators": arguments.trees}, 0)
            for form, rows in measured(recipe, x, y, arguments.splits).items():
                print(line(name, algorithm, form, np.concatenate(rows)), flush=True)


def data_sets() -> Iterator[tuple[str, tuple[NDArray[np.float32], Floats]]]:
    """Yield name and (x, y); the holdout of the two real ones is left alone."""
    for name in ("boston", "diabetes"):
        data = load_dataset(name)
        yield name, (data.matrix(data.training), data.training.y)
    x, y = make_friedman1(500, n_features=10, noise=1.0, random_state=0)
    yield "friedman1", (x.astype(np.float32), y)


def measured(
    recipe: Recipe, x: NDArray[np.float32], y: Floats, splits: int
) -> dict[str, list[Floats]]:
    """Return for each form the rows of all splits, in units of y's deviation.

    A row is (covered, width, score, third).
    """
    found: dict[str, list[Floats]] = {}
    for training, test in ShuffleSplit(splits, test_size=0.2, random_state=0).split(x):
        known, spreads = out_of_fold(recipe, x[training], y[training])
        forest = recipe.fit(x[training], y[training])
        answers = recipe.predict(forest, x[test])[:, 0], spread(forest, x[test])
        for form, scale in scales(recipe, y[training], known).items():
            ratios = np.abs(y[training] - known) / scale(known, spreads)
            half = quantile(ratios) * scale(*answers)
            found.setdefault(form, []).append(
                rows(y[test], answers[0], half) / [1, y.std(), y.std(), 1]
            )
    return found


def out_of_fold(recipe: Recipe, x: NDArray[np.float32], y: Floats) -> tuple[Floats, Floats]:
    """Return out-of-fold predictions, and the spread of the trees that made them."""
    known = np.empty_like(y)
    spreads = np.empty_like(y)
    for training, test in shuffled_folds(y, n=5, seed=0, classes=False):
        forest = recipe.fit(x[training], y[training])
        known[test] = recipe.predict(forest, x[test])[:, 0]
        spreads[test] = spread(forest, x[test])
    return known, spreads


def spread(forest: Any, x: NDArray[np.float32]) -> Floats:  # noqa: ANN401 - an estimator
    """Return the standard deviation of the trees' answers.

    Zeros where trees are not models of their own.
    """
    if not hasattr(forest, "estimators_"):
        return np.zeros(len(x))
    return np.std([tree.predict(x) for tree in forest.estimators_], axis=0)


def scales(recipe: Recipe, y: Floats, known: Floats) -> dict[str, Scale]:
    """Return the forms; both scaled ones are kept away from zero."""
    floor = 0.1 * np.abs(y - known).mean()
    order = np.argsort(known)
    bins = np.array_split(order, BINS)
    middles = [float(known[b].mean()) for b in bins]
    sizes = [max(float(np.abs(y - known)[b].mean()), floor) for b in bins]
    forms: dict[str, Scale] = {
        "constant": lambda p, _: np.ones_like(p),
        "level": lambda p, _: np.interp(p, middles, sizes),
    }
    if recipe.algorithm == "random_forest":
        forms["spread"] = lambda _, s: s + floor
    return forms


def quantile(scores: Floats) -> float:
    """Return the smallest score that COVERAGE of n + 1 exchangeable scores do not exceed."""
    return float(np.sort(scores)[int(np.ceil((len(scores) + 1) * COVERAGE)) - 1])


def rows(y: Floats, predicted: Floats, half: Floats) -> Floats:
    """Return (covered, width, interval score, third) of each row."""
    outside = np.maximum(np.abs(y - predicted) - half, 0)
    third = np.argsort(np.argsort(predicted)) * 3 // len(y)
    return np.stack(
        [outside == 0, 2 * half, 2 * half + 2 / (1 - COVERAGE) * outside, third], axis=1
    )


def line(name: str, algorithm: str, form: str, found: Floats) -> str:
    """Return a line of the table."""
    covered, width, score, third = found.T
    thirds = " ".join(f"{covered[third == t].mean():.2f}" for t in range(3))
    means = f"{width.mean():.2f} | {score.mean():.2f}"
    return f"| {name} | {algorithm} | {form} | {covered.mean():.3f} | {thirds} | {means} |"


if __name__ == "__main__":
    main()
