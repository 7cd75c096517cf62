"""Join the trainer to the gate: the data to judge on, and recipes tried on fresh folds."""

import os
import platform
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np

from promote.evidence import Floats
from promote.gate_input import Evaluation
from registry.package import Manifest, row_losses
from trainer.dataset import Dataset
from trainer.recipe import Recipe


def make_evaluation(
    dataset: Dataset, *, cpus: int = 0, on_fold: Callable[[], None] = lambda: None
) -> Evaluation:
    """Make the gate's view of a data set.

    Args:
        dataset: loaded now, so that both models meet the data as they are.
        cpus: processes to fit with; 0 for as many as there are CPUs.
        on_fold: called after each fit.
    """
    recipes = RecipeTrials(dataset, cpus or os.cpu_count() or 1, on_fold)
    y = dataset.training.y
    if dataset.classes:
        shares = np.bincount(y.astype(int), minlength=len(dataset.classes)) / len(y)
    else:
        shares = np.array([y.mean()])
    return Evaluation(
        fingerprint=dataset.fingerprint,
        holdout_digest=dataset.holdout_digest,
        table=dataset.holdout.table,
        y=dataset.holdout.y,
        rows=dataset.holdout.rows,
        trivial=np.asarray(shares, dtype=np.float64)[None, :],
        out_of_fold=recipes.out_of_fold,
        default_recipe=_with_defaults,
    )


def _with_defaults(manifest: Manifest) -> Manifest:
    return manifest.replace(parameters={})


class RecipeTrials:
    """Refits recipes on the training part; in processes where forking is safe, or in threads."""

    def __init__(self, dataset: Dataset, cpus: int, on_fold: Callable[[], None]) -> None:
        self.dataset = dataset
        self.cpus = cpus
        self.on_fold = on_fold
        self.x = dataset.matrix(dataset.training)
        self.y = dataset.training.y

    def out_of_fold(self, manifest: Manifest, seeds: list[int], folds: int) -> Floats:
        """Return each training row's loss when left out, mean over one cross-validation a seed.

        Returns:
            float64 (n_training,).
        """
        smallest = float(self.y.min())
        task = self.dataset.spec.task
        metric = self.dataset.spec.metric
        recipe = Recipe.make(
            manifest.algorithm,
            task,
            dict(manifest.parameters),
            manifest.seed,
            smallest_target=smallest,
        )
        splits = [fold for seed in seeds for fold in recipe.folds(self.y, n=folds, seed=seed)]
        total = np.zeros(len(self.y))
        with self._make_executor() as pool:
            futures = [
                pool.submit(recipe.fold_predictions, self.x, self.y, fold) for fold in splits
            ]
            for (_, test), future in zip(splits, futures, strict=True):
                total[test] += row_losses(task, metric, self.y[test], future.result())
                self.on_fold()
        return total / len(seeds)

    def _make_executor(self) -> Executor:
        if platform.system() == "Linux":
            return ProcessPoolExecutor(self.cpus, mp_context=get_context("fork"))
        return ThreadPoolExecutor(self.cpus)
