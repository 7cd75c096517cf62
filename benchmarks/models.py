"""One row and 10,000 rows: each library's own predict, and the package's, side by side.

python benchmarks/models.py [--trees 100] [--rounds 30]

Prints medians in microseconds and the ratio of both, which a busy machine changes least: the two
are timed in turn. One row is another one each time, and is timed apart from 10,000 rows, which
would empty the processor's caches.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from registry.package import KERNEL, make_row_predictor, predict_encoded
from trainer.learners import LEARNERS
from trainer.learners.flatten import flatten_estimator
from trainer.recipe import Recipe

FEATURES = 13
MANY = 10_000
ROWS = 16  # asked for one by one in a round
COUNTS = ("iterations", "max_iter", "n_estimators")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, FEATURES)).astype(np.float32)
    y = x[:, 0] * 2 + x[:, 1] ** 2 + rng.normal(size=500)
    many = rng.normal(size=(MANY, FEATURES)).astype(np.float32)
    print(f"kernel {KERNEL}; 500 rows of {FEATURES} features, {arguments.trees} trees")
    print(f"{'learner':24}{'own, 1':>10}{'ours, 1':>10}{'ratio':>8}{'own, 1e4':>12}{'ours':>10}")
    for name, learner in LEARNERS.items():
        if not find_spec(learner.library):
            print(f"{name:24} not installed")
            continue
        task = next(iter(learner.classes))
        goal = y if task == "regression" else (y > 1) * 1.0
        fields = learner.parameters.model_fields
        values = {each: arguments.trees for each in COUNTS if each in fields}
        recipe = Recipe.make(name, task, values, 0)
        estimator = recipe.fit(x, goal.astype(np.float64))
        own_predict = estimator.predict if task == "regression" else estimator.predict_proba
        predictor, output = flatten_estimator(estimator, n_features=FEATURES)
        one = make_row_predictor(predictor, output)
        rows = [many[i : i + 1] for i in range(ROWS)]
        packed = [row.tobytes() for row in rows]
        own, ours = in_turn(
            [partial(each_row, own_predict, rows), partial(each_row, one, packed)],
            arguments.rounds,
        )
        own_many, ours_many = in_turn(
            [partial(own_predict, many), partial(predict_encoded, predictor, output, many)],
            arguments.rounds,
        )
        print(
            f"{name:24}{own / ROWS:10.1f}{ours / ROWS:10.2f}{own / ours:8.0f}"
            f"{own_many:12.0f}{ours_many:10.0f}{own_many / ours_many:8.1f}"
        )


def each_row(predict: Callable[[Any], object], rows: Sequence[object]) -> None:
    """Ask for one row after another."""
    for row in rows:
        predict(row)


def in_turn(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the median time of each call in microseconds."""
    seen: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, times in zip(calls, seen, strict=True):
            start = time.perf_counter()
            call()
            times.append(1e6 * (time.perf_counter() - start))
    return [statistics.median(times) for times in seen]


if __name__ == "__main__":
    main()
