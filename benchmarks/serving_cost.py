"""Is a row as fast as `registry.package.serving_cost` computes, whatever the model's shape?

Forests of complete trees answer rows that are new each time, by the C kernel. Each line has the
process's own time a row (median of rounds), what was computed, and their ratio; then the same for
encoding a row of categories, whose time and memory must grow with their number, not its square.
"""

import argparse
import time
import tracemalloc
from statistics import median

import numpy as np
from numpy.typing import NDArray

from api.codecs.rows import Encoder
from benchmarks.growth import Case, complete_forest
from registry.package import Column, FlatForest
from registry.package.serving_cost import forest_microseconds

FEATURES = 13
SHAPES = ((100, 6), (100, 10), (400, 10), (1000, 12))  # trees, their depth
CATEGORIES = (25, 50, 100)
COLUMNS = 50
ROWS = 300


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("| trees | depth | microseconds a row | computed | ratio |")
    print("|---|---|---|---|---|")
    for trees, depth in SHAPES:
        forest = complete_forest(Case(trees, depth, FEATURES), np.random.default_rng(0))
        taken = _row_time(forest, rounds)
        computed = forest_microseconds(forest)
        print(f"| {trees} | {depth} | {taken:.1f} | {computed:.1f} | {computed / taken:.2f} |")
    print()
    print(f"| categories of each of {COLUMNS} columns | KiB of tables | microseconds a row |")
    print("|---|---|---|")
    for n in CATEGORIES:
        size, taken = _encoding(n, rounds)
        print(f"| {n} | {size >> 10} | {taken:.1f} |")


def _row_time(forest: FlatForest, rounds: int) -> float:
    rng = np.random.default_rng(1)
    times = []
    for _ in range(rounds):
        rows: NDArray[np.float32] = rng.random((ROWS, FEATURES)).astype(np.float32)
        packed = [row.tobytes() for row in rows]
        begun = time.process_time()
        for row in packed:
            forest.sums_row(row)
        times.append((time.process_time() - begun) / ROWS * 1e6)
    return median(times)


def _encoding(n: int, rounds: int) -> tuple[int, float]:
    texts = tuple(f"category {i:03}" for i in range(n))
    columns = [Column(name=f"c{i}", kind="categorical", categories=texts) for i in range(COLUMNS)]
    tracemalloc.start()
    encoder = Encoder(columns)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    cells = (texts[n // 2],) * COLUMNS
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(ROWS):
            encoder.pack(cells)
        times.append((time.process_time() - begun) / ROWS * 1e6)
    return size, median(times)


if __name__ == "__main__":
    main()
