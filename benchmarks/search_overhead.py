"""What does isolating each trial cost? CPU of 40 trials over that of their own work, and time.

Own work is what a trial does in any case: cross-validate, fit, flatten, write. It is measured in
this process, one trial after the other, before and after the other ways, and the mean is taken.
"""

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import yaml

from katib.experiment import Experiment, read_experiment
from katib.local.engine import Engine
from katib.local.job_template import PathMap
from katib.local.journal import Journal
from trainer.dataset import load_dataset
from trainer.recipe import Recipe
from trainer.trial import cross_validate, write_trial

ROOT = Path(__file__).parent.parent
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    """Run all ways and print a table."""
    trials = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        experiment = _experiment(folder, trials)
        forked = _engine(experiment, folder / "forked", ("trainer",))
        points = [
            trial.assignments for trial in Journal(folder / "forked" / "trials.jsonl").ordered()
        ]
        own = _cpu(lambda: _work(points, folder))
        fresh = _engine(experiment, folder / "fresh", ())
        threads = _threads(points, folder)
        own = (own + _cpu(lambda: _work(points, folder))) / 2
    print(
        f"{trials} trials on {CPUS} CPUs; own work {own:.1f} CPU s, ideal wall {own / CPUS:.1f} s"
    )
    print(f"{'way':32} {'trials CPU/own':>15} {'all CPU/own':>12} {'wall/ideal':>11} {'wall s':>7}")
    for way, (mine, everything, wall) in {
        "forked, one process a trial": forked,
        "fresh interpreter a trial": fresh,
        "Optuna n_jobs threads": threads,
    }.items():
        print(
            f"{way:32} {mine / own:15.3f} {everything / own:12.3f}"
            f" {wall / (own / CPUS):11.2f} {wall:7.1f}"
        )


def _arguments() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    return int(parser.parse_args().trials)


def _experiment(folder: Path, trials: int) -> Experiment:
    document = yaml.safe_load((ROOT / "manifests" / "experiment.yaml").read_text(encoding="utf-8"))
    document["spec"] |= {"maxTrialCount": trials, "parallelTrialCount": CPUS}
    document["metadata"]["annotations"] = {}
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return read_experiment(path)


def _engine(
    experiment: Experiment, folder: Path, preload: tuple[str, ...]
) -> tuple[float, float, float]:
    folder.mkdir()
    start = time.perf_counter()
    before = _total_cpu()
    asyncio.run(Engine(experiment, folder, PathMap(folder / "volumes"), preload=preload).run())
    wall = time.perf_counter() - start
    everything = _total_cpu() - before
    return sum(trial.cpu for trial in Journal(folder / "trials.jsonl").ordered()), everything, wall


def _threads(points: list[dict[str, str]], folder: Path) -> tuple[float, float, float]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    queue = list(points)
    start = time.perf_counter()
    before = _total_cpu()
    study.optimize(
        lambda trial: _one(queue.pop(), folder, trial.number), n_trials=len(points), n_jobs=CPUS
    )
    wall = time.perf_counter() - start
    everything = _total_cpu() - before
    return everything, everything, wall


def _work(points: list[dict[str, str]], folder: Path) -> None:
    for number, point in enumerate(points):
        _one(point, folder, number)


def _one(point: dict[str, str], folder: Path, number: int) -> float:
    dataset = load_dataset("boston")
    recipe = Recipe.make("random_forest", "regression", {"n_estimators": 200, **point}, 0)
    score = cross_validate(recipe, dataset, folds=5, seed=0)[0]
    write_trial(folder / f"own-{number}", recipe, dataset, score, fold_seed=0)
    return score.mean


def _cpu(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _total_cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
