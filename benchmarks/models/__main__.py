"""One row and 10,000 rows: each library's own predict, the package's, and compilers', in turn.

.peers/compilers/bin/python -m benchmarks.models [--trees 100] [--rounds 21] [--only NAME...]

Prints medians of processor time, in which the waiting of a busy machine does not count, and how
many times as long as the package each takes. All have one thread, and their input in the form that
suits them best. One row is another one each time; rows are timed apart from 10,000 rows, which
would empty the processor's caches. The compilers are in an environment of their own
(`scripts/peers compilers`); without it, only libraries are compared.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.models.contenders import CONTENDERS, Contender, Fitted, UnsupportedError
from registry.package import KERNEL
from trainer.learners import LEARNERS
from trainer.learners.flatten import flatten_estimator
from trainer.recipe import Recipe

FEATURES = 13
MANY = 10_000
ROWS = 100  # asked for one by one in a round
COUNTS = ("iterations", "max_iter", "n_estimators")
SHOWN = ("onnxruntime", "treelite", "tl2cgen", "lleaves")


def main() -> None:
    """Print the tables, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    arguments = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":  # read when the libraries are loaded
        words = [sys.executable, "-m", "benchmarks.models", *sys.argv[1:]]
        os.execve(sys.executable, words, {**os.environ, "OMP_NUM_THREADS": "1"})  # noqa: S606 - itself
    warnings.simplefilter("ignore")
    print(f"kernel {KERNEL}; 500 rows of {FEATURES} features, {arguments.trees} trees")
    print(", ".join(versions()))
    for name in arguments.only:
        if not find_spec(LEARNERS[name].library):
            print(f"\n{name}: {LEARNERS[name].library} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            report(fit(name, arguments.trees, Path(folder)), arguments.rounds)


def fit(name: str, trees: int, folder: Path) -> Fitted:
    """Fit a learner with its defaults on rows of random numbers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, FEATURES)).astype(np.float32)
    y = x[:, 0] * 2 + x[:, 1] ** 2 + rng.normal(size=500)
    learner = LEARNERS[name]
    task = next(iter(learner.classes))
    if task == "classification":
        y = (y > 1) * 1.0
    fields = learner.parameters.model_fields
    recipe = Recipe.make(name, task, {each: trees for each in COUNTS if each in fields}, 0)
    estimator = recipe.fit(x, y.astype(np.float64))
    predictor, output = flatten_estimator(estimator, n_features=FEATURES)
    return Fitted(name, task, estimator, predictor, output, folder)


def report(fitted: Fitted, rounds: int) -> None:
    """Measure all contenders with one learner's model, and print a line for each."""
    contenders: dict[str, Contender] = {}
    problems = {}
    for name, make in CONTENDERS.items():
        try:
            contenders[name] = make(fitted)
        except UnsupportedError as error:
            problems[name] = str(error)
    many = np.random.default_rng(1).normal(size=(MANY, FEATURES)).astype(np.float32)
    wanted = contenders["own"].answers(many[:ROWS])
    rows = [many[i : i + 1] for i in range(ROWS)]
    one = in_turn(
        {
            name: partial(each_row, each.one, [each.pack_one(row) for row in rows])
            for name, each in contenders.items()
        },
        rounds,
    )
    batch = in_turn(
        {name: partial(each.many, each.pack(many)) for name, each in contenders.items()}, rounds
    )
    print(f"\n{fitted.name:24}{'1 row, us':>12}{'ratio':>8}{'1e4, us':>12}{'ratio':>8}", end="")
    print(f"{'bytes':>12}{'off by':>10}")
    for name, each in contenders.items():
        off = np.abs(each.answers(many[:ROWS]) - wanted).max()
        print(
            f"  {name:22}{one[name] / ROWS:12.2f}{one[name] / one['package']:8.1f}"
            f"{batch[name]:12.0f}{batch[name] / batch['package']:8.2f}{each.size:12}{off:10.1e}",
            flush=True,
        )
    for name, problem in problems.items():
        print(f"  {name:22}{problem}")


def versions() -> list[str]:
    """Return the names and versions of what is compared."""
    names = ["scikit-learn", "lightgbm", "xgboost-cpu", "catboost", *SHOWN]
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return found


def each_row(predict: Callable[[object], object], rows: list[object]) -> None:
    """Ask for one row after another."""
    for row in rows:
        predict(row)


def in_turn(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median processor time of each call in microseconds."""
    seen: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            call()
            seen[name].append(1e6 * (time.process_time() - start))
    return {name: median(times) for name, times in seen.items()}


if __name__ == "__main__":
    main()
