"""What does the flat forest gain over `RandomForestRegressor.predict`, by kernel, trees and rows?

All predictors answer the same rows in turn, round after round in one process with one thread; shown
is the median of the rounds' ratios. Rows are new in each round, as one row again and again would
flatter the compiled walk.
"""

import argparse
import struct
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor

from registry.package import FlatForest, kernel
from registry.package.numpy_kernel import NumpyTraversal
from trainer.learners.flatten import flatten_estimator

FEATURES = 13
ROWS = (1, 10, 100, 1_000, 10_000)
CALLS = {1: 400, 10: 100, 100: 20, 1_000: 4, 10_000: 1}  # of each predictor in a round
RF_CALLS = 20  # at most, as one takes as long as hundreds of the others
Matrix = NDArray[np.float32]
Predictor = Callable[[Any], Any]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--trees", type=int, nargs="+", default=[100, 400])
    options = parser.parse_args()
    print(
        "| trees | rows | `rf.predict` | C | numpy "
        "| C: speed-up (range) | numpy: speed-up (range) |"
    )
    print("|---|---|---|---|---|---|---|")
    for trees in options.trees:
        x, y = make_friedman1(506, FEATURES, random_state=0)
        fitted = RandomForestRegressor(trees, random_state=0).fit(x, y)
        forest = flatten_estimator(fitted, n_features=FEATURES)[0]
        for rows in ROWS:
            print(_line(trees, rows, _compare(fitted, forest, rows, options.rounds)), flush=True)


def walks(forest: FlatForest) -> dict[str, kernel.RowSums]:
    """Return the forest as each kernel walks it."""
    library = kernel.load_library(kernel.LIBRARY, {})
    assert library, "the C kernel was not built: scripts/setup dev"
    arrays = forest.arrays()
    return {
        "c": kernel.CTraversal(library, arrays, n_features=forest.n_features, depth=forest.depth),
        "numpy": NumpyTraversal(arrays, n_features=forest.n_features, depth=forest.depth),
    }


def seconds(predict: Predictor, inputs: list[Any]) -> float:
    """Return the time of one call, over distinct inputs."""
    start = time.perf_counter()
    for x in inputs:
        predict(x)
    return (time.perf_counter() - start) / len(inputs)


def _compare(
    fitted: RandomForestRegressor, forest: FlatForest, rows: int, rounds: int
) -> dict[str, list[float]]:
    flat = walks(forest)
    taken: dict[str, list[float]] = {"rf": [], **{name: [] for name in flat}}
    for number in range(-1, rounds):  # the first is not counted
        batches = _batches(number + 1, rows)
        found = {"rf": seconds(fitted.predict, batches[:RF_CALLS])}
        for name, walk in flat.items():
            assert np.array_equal(
                walk.sums(batches[0])[:, 0] / forest.n_trees, fitted.predict(batches[0])
            )
            found[name] = _flat_seconds(walk, batches)
        for name, value in found.items() if number >= 0 else ():
            taken[name].append(value)
    return taken


def _flat_seconds(walk: kernel.RowSums, batches: list[Matrix]) -> float:
    if len(batches[0]) > 1:
        return seconds(walk.sums, batches)
    return seconds(walk.sums_row, [struct.pack(f"{FEATURES}f", *batch[0]) for batch in batches])


def _batches(seed: int, rows: int) -> list[Matrix]:
    x = make_friedman1(rows * CALLS[rows], FEATURES, random_state=1000 + seed)[0].astype(np.float32)
    return list(x.reshape(CALLS[rows], rows, FEATURES))


def _line(trees: int, rows: int, taken: dict[str, list[float]]) -> str:
    times = " | ".join(_time(median(values)) for values in taken.values())
    ratios = [
        [a / b for a, b in zip(taken["rf"], taken[name], strict=True)] for name in ("c", "numpy")
    ]
    gains = " | ".join(f"**{median(r):.3g}x** ({min(r):.3g} to {max(r):.3g})" for r in ratios)
    return f"| {trees} | {rows:,} | {times} | {gains} |"


def _time(value: float) -> str:
    return f"{value * 1e6:.3g} us" if value < 1e-3 else f"{value * 1e3:.3g} ms"


if __name__ == "__main__":
    main()
