"""What early stopping over folds saves and costs: searches replayed on tables of fold scores.

    nice -n 15 .venv/bin/python benchmarks/early_stopping.py [--points 200] [--trees 100] \
        [--seeds 40] [--trials 20]

A table holds, for the library's defaults and for random points of the shipped space, the loss of
each of the five folds and the CPU time of each fit, the final one on all rows included; it is made
once (minutes) and kept in build/early_stopping. Each search takes its trials from the table, four
at a time as the shipped Experiment: `random` begins with the defaults, `blind` leaves them out, and
with `tpe` the sampler is the engine's own, while each point that it asks for is replaced by the
nearest one that is still left.

Printed for each rule: the share of CPU time that it saves, and how much worse the best score and
the same trial's score on fresh folds (three repetitions of five) become, in per cent of those of
the same search without stopping; all with 95 % intervals, a bootstrap over seeds. `at equal CPU`
lets the search that stops go on until it has spent what the other one has.
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1

from katib.experiment import read_experiment
from katib.search.sampler import Search, TrialRecord
from katib.space import Parameter
from registry.package import row_losses
from trainer.dataset import load_dataset
from trainer.folds import shuffled_folds
from trainer.recipe import Recipe

ROOT = Path(__file__).parent.parent
CACHE = ROOT / "build" / "early_stopping"
DATA = ("boston", "diabetes", "friedman1", "wine")
METRICS = {"regression": "mse", "classification": "log_loss"}
CRITERIA = {"regression": ("squared_error", "poisson"), "classification": ("gini", "entropy")}
PARALLEL = 4
FOLDS = 5
FRESH = (9001, 9002, 9003)
TOP = 24
Floats = NDArray[np.float64]
Rows = tuple[str, NDArray[np.float32], Floats]  # task, x, y


@dataclass(frozen=True, eq=False)
class Table:
    """A data set's points, with the loss of each fold and the CPU seconds of each fit."""

    name: str
    trees: int
    space: tuple[Parameter, ...]
    points: list[dict[str, str]]
    losses: Floats
    cpu: Floats
    fresh: dict[int, float] = field(default_factory=dict)

    @property
    def running(self) -> Floats:
        """The running means over folds."""
        return self.losses.cumsum(axis=1) / np.arange(1, FOLDS + 1)

    def fresh_score(self, point: int) -> float:
        """Return the mean loss on folds that no search has used; of the best points it is known."""
        if point not in self.fresh:
            self.fresh[point] = fresh((self.name, self.points[point], self.trees))
        return self.fresh[point]


@cache
def rows(name: str) -> Rows:
    """Return a data set's training part."""
    if name == "friedman1":
        x, y = make_friedman1(400, n_features=10, noise=1.0, random_state=0)
        return "regression", x.astype(np.float32), y
    data = load_dataset(name)
    return data.spec.task, data.matrix(data.training), data.training.y


def make_recipe(task: str, point: dict[str, str], trees: int) -> Recipe:
    """Return the recipe of a point."""
    return Recipe.make("random_forest", task, {**point, "n_estimators": trees}, 0)


def fold_losses(
    recipe: Recipe, x: NDArray[np.float32], y: Floats, seed: int
) -> tuple[list[float], list[float]]:
    """Return each fold's mean loss, and the CPU seconds that each took."""
    losses = []
    cpu = []
    classes = recipe.task == "classification"
    for fold in shuffled_folds(y, n=FOLDS, seed=seed, classes=classes):
        began = time.process_time()
        predicted = recipe.fold_predictions(x, y, fold)
        cpu.append(time.process_time() - began)
        losses.append(
            float(row_losses(recipe.task, METRICS[recipe.task], y[fold[1]], predicted).mean())
        )
    return losses, cpu


def measure(job: tuple[str, dict[str, str], int]) -> tuple[list[float], list[float]]:
    """Run one whole trial."""
    name, point, trees = job
    task, x, y = rows(name)
    recipe = make_recipe(task, point, trees)
    losses, cpu = fold_losses(recipe, x, y, 0)
    began = time.process_time()
    recipe.fit(x, y)
    return losses, [*cpu, time.process_time() - began]


def fresh(job: tuple[str, dict[str, str], int]) -> float:
    """Score a point again, on folds of other seeds."""
    name, point, trees = job
    task, x, y = rows(name)
    return float(
        np.mean([fold_losses(make_recipe(task, point, trees), x, y, seed)[0] for seed in FRESH])
    )


def space(task: str) -> tuple[Parameter, ...]:
    """Return the shipped space, with the task's criteria."""
    shipped = read_experiment(ROOT / "manifests" / "experiment.yaml").parameters
    criterion = Parameter("criterion", "categorical", choices=CRITERIA[task])
    return tuple(criterion if p.name == "criterion" else p for p in shipped)


def table(name: str, points: int, trees: int) -> Table:
    """Make a data set's table, or read it."""
    path = CACHE / f"{name}-{points}-{trees}.json"
    task = rows(name)[0]
    searched = space(task)
    if not path.exists():
        rng = np.random.default_rng(0)
        default = make_recipe(task, {}, trees).parameters.model_dump()
        chosen = [{p.name: p.nearest(default[p.name]) or p.from_unit(1.0) for p in searched}]
        chosen += [{p.name: p.from_unit(rng.random()) for p in searched} for _ in range(points - 1)]
        with ProcessPoolExecutor(2) as pool:
            found = list(pool.map(measure, [(name, point, trees) for point in chosen], chunksize=8))
        kept(path, [chosen, [f[0] for f in found], [f[1] for f in found]])
    chosen, losses, cpu = json.loads(path.read_text())
    again = path.with_name(f"fresh-{path.name}")
    if not again.exists():
        best = np.mean(losses, axis=1).argsort()[:TOP].tolist()
        with ProcessPoolExecutor(2) as pool:
            scores = list(pool.map(fresh, [(name, chosen[point], trees) for point in best]))
        kept(again, list(zip(best, scores, strict=True)))
    return Table(
        name,
        trees,
        searched,
        chosen,
        np.array(losses),
        np.array(cpu),
        dict(json.loads(again.read_text())),
    )


def kept(path: Path, content: object) -> None:
    """Write a file of the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@dataclass(frozen=True)
class Rule:
    """A rule of early stopping: a name to print, and the limit after the trials so far.

    Attributes:
        step: the report that is compared, from 1; nothing is stopped where 0.
        limit: from the running means of the complete trials, and of all up to the step; None where
            there is none yet.
        told: whether the sampler is told the last running mean of a stopped trial; else, that it
            has failed.
    """

    name: str
    step: int = 0
    limit: Callable[[Floats, Floats], float | None] = lambda _complete, _reached: None
    told: bool = True


def ours(step: int, margin: float, *, told: bool = True, floor: bool = True) -> Rule:
    """Stop between the best and the mean; with `floor` nothing better than the best trial's end."""

    def limit(complete: Floats, reached: Floats) -> float | None:
        if len(reached) < 3:
            return None
        best = complete[complete[:, -1].argmin()]
        near = best[:step].min()
        near += margin * max(reached.min(axis=1).mean() - near, 0.0)
        return float(max(near, best[-1]) if floor else near)

    words = "" if told else ", not told", "" if floor else ", no floor"
    return Rule(f"tunegate, after {step}, {margin}{''.join(words)}", step, limit, told=told)


def percent(step: int, margin: float) -> Rule:
    """Stop what is so much worse than the best trial was by then."""

    def limit(complete: Floats, _reached: Floats) -> float | None:
        best = complete[complete[:, -1].argmin()] if len(complete) else None
        return None if best is None else float(max(best[:step].min() * (1 + margin), best[-1]))

    return Rule(f"best + {margin:.0%}, after {step}", step, limit)


def medianstop(step: int) -> Rule:
    """Katib's: the mean over at least three complete trials of the mean of their first reports."""
    return Rule(
        f"medianstop, after {step}",
        step,
        lambda k, _: float(k[:, :step].mean()) if len(k) >= 3 else None,
    )


NONE = Rule("none")
SIMPLE = [
    *(medianstop(step) for step in (1, 2, 4)),
    *(ours(step, margin) for step in (1, 2) for margin in (0.25, 0.5, 0.75, 1.0)),
    ours(1, 0.75, floor=False),
    *(percent(step, 0.1) for step in (1, 2)),
]
RULES = {
    "random": SIMPLE,
    "blind": SIMPLE,
    "tpe": [medianstop(1), ours(1, 0.75), ours(1, 0.75, told=False), ours(1, 0.75, floor=False)],
}


@dataclass
class Replay:
    """A search through a table, a batch at a time; `stopped` has the points stopped early."""

    table: Table
    rule: Rule
    order: Callable[["Replay"], list[int]]
    asked: list[int] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    spent: float = 0.0

    def go(self, trials: int, cpu: float = np.inf) -> "Replay":
        """Run whole batches until so many trials were asked for, or so much CPU is spent."""
        while len(self.asked) < trials and self.spent < cpu:
            running = self.table.running
            limit = self.rule.limit(running[self.complete], running[self.asked, : self.rule.step])
            batch = self.order(self)
            self.asked += batch
            for point in batch:
                self._run(point, limit)
        return self

    def _run(self, point: int, limit: float | None) -> None:
        """Run one trial; Katib's collector compares the best report up to the step."""
        step = self.rule.step
        if limit is not None and self.table.running[point, :step].min() > limit:
            self.stopped.add(point)
            self.spent += self.table.cpu[point, :step].sum()
        else:
            self.spent += self.table.cpu[point].sum()

    @property
    def complete(self) -> list[int]:
        """The points that ran to their end."""
        return [point for point in self.asked if point not in self.stopped]

    @property
    def best(self) -> int:
        """The point that the search has found."""
        return min(self.complete, key=lambda point: self.table.running[point, -1])

    def seen(self, point: int) -> TrialRecord:
        """Return what the sampler is told of a trial."""
        if point not in self.stopped:
            return TrialRecord(
                self.table.points[point], "complete", float(self.table.running[point, -1])
            )
        if not self.rule.told:
            return TrialRecord(self.table.points[point], "failed")
        return TrialRecord(
            self.table.points[point],
            "complete",
            float(self.table.running[point, self.rule.step - 1]),
        )


def at_random(table: Table, seed: int) -> Callable[[Replay], list[int]]:
    """Take the points in a random order, the defaults first."""
    order = [0, *(1 + np.random.default_rng(seed).permutation(len(table.points) - 1))]
    return lambda replay: [
        int(point) for point in order[len(replay.asked) : len(replay.asked) + PARALLEL]
    ]


def blind(table: Table, seed: int) -> Callable[[Replay], list[int]]:
    """Take the points in a random order; the defaults, which few points beat, are none of them."""
    order = at_random(table, seed)
    return lambda replay: order(Replay(table, NONE, order, [0, *replay.asked]))


def by_tpe(table: Table, seed: int) -> Callable[[Replay], list[int]]:
    """Ask the engine's sampler; the nearest points that are left replace those it asks for."""
    search = Search(table.space, "tpe", {}, minimize=True, seed=seed, first=table.points[0])
    places = np.array([[p.to_unit(point[p.name]) for p in table.space] for point in table.points])

    def order(replay: Replay) -> list[int]:
        batch: list[int] = []
        for wanted in search.ask([replay.seen(point) for point in replay.asked], PARALLEL):
            place = np.array([p.to_unit(wanted[p.name]) for p in table.space])
            distance = ((places - place) ** 2).sum(axis=1)
            distance[[*replay.asked, *batch]] = np.inf
            batch.append(int(distance.argmin()))
        return batch

    return order


ORDERS = {"random": at_random, "blind": blind, "tpe": by_tpe}
Figures = dict[str, Floats]


def compare(table: Table, order: str, rule: Rule, seeds: int, trials: int) -> Figures:
    """Return for each seed what a rule saves and costs, in per cent of the search without one."""
    rows_ = [_one(table, order, rule, seed, trials) for seed in range(seeds)]
    return {name: 100 * np.array([row[name] for row in rows_]) for name in rows_[0]}


@cache
def without(table: Table, order: str, seed: int, trials: int) -> Replay:
    """Return the search that stops nothing, made once for all rules."""
    return Replay(table, NONE, ORDERS[order](table, seed)).go(trials)


def _one(table: Table, order: str, rule: Rule, seed: int, trials: int) -> dict[str, float]:
    whole = without(table, order, seed, trials)
    short, long = (Replay(table, rule, ORDERS[order](table, seed)) for _ in range(2))
    short.go(trials)
    long.go(len(table.points) // 2, cpu=whole.spent)
    final = table.running[:, -1]
    return {
        "saved": 1 - short.spent / whole.spent,
        "best": final[short.best] / final[whole.best] - 1,
        "fresh": table.fresh_score(short.best) / table.fresh_score(whole.best) - 1,
        "equal": final[long.best] / final[whole.best] - 1,
        "equal fresh": table.fresh_score(long.best) / table.fresh_score(whole.best) - 1,
        "other winner": float(short.best != whole.best),
    }


def interval(values: Floats) -> str:
    """Return a mean with its 95 % interval, a bootstrap over seeds."""
    means = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.1f} [{low:.1f}, {high:.1f}]"


def report(order: str, rule: Rule, name: str, found: Figures) -> str:
    """Return one line of the table."""
    cells = [interval(found[key]) for key in ("saved", "best", "fresh", "equal", "equal fresh")]
    other = f"{found['other winner'].mean():.0f}"
    return f"| {' | '.join([order, rule.name, name, *cells, other])} |"


def main() -> None:
    """Make the tables, replay the searches, print a line a rule and data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=list(ORDERS))
    chosen = parser.parse_args()
    heads = (
        "order",
        "rule",
        "data",
        "CPU saved, %",
        "best worse by, %",
        "fresh",
        "best at equal CPU",
        "fresh",
        "other, %",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for order in chosen.orders:
        for rule in RULES[order]:
            every: list[Figures] = []
            for name in chosen.data:
                every.append(
                    compare(
                        loaded(name, chosen.points, chosen.trees),
                        order,
                        rule,
                        chosen.seeds,
                        chosen.trials,
                    )
                )
                print(report(order, rule, name, every[-1]), flush=True)
            mean = {key: np.mean([found[key] for found in every], axis=0) for key in every[0]}
            print(report(order, rule, "**all**", mean), flush=True)


@cache
def loaded(name: str, points: int, trees: int) -> Table:
    """Read each table once, so that fresh scores are kept."""
    return table(name, points, trees)


if __name__ == "__main__":
    main()
