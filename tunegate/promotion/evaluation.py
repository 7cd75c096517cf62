"""Join the trainer to the gate: the data to judge on, and recipes tried on fresh folds."""

import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np

from promote.evidence import Floats
from promote.gate_input import Evaluation, Mask, TrainingRows
from registry.package import METRICS, Manifest, Output, row_losses
from trainer.dataset import Dataset, DatasetPart
from trainer.folds import Fold, cross_validation_folds
from trainer.learners import LEARNERS
from trainer.recipe import Recipe, library_versions
from trainer.spec import DataSetSpec
from trainer.weights import balanced_weights
from tunegate.child_processes import end_with_parent
from tunegate.promotion.loss_cache import LossCache


def make_evaluation(
    dataset: Dataset,
    *,
    cpus: int = 0,
    on_fold: Callable[[], None] = lambda: None,
    cache: LossCache | None = None,
) -> Evaluation:
    """Make the gate's view of a data set.

    Args:
        dataset: loaded now, so that both models meet the data as they are.
        cpus: processes to fit with; 0 for as many as there are CPUs.
        on_fold: called after each fit.
        cache: losses of earlier commands; None for none.
    """
    recipes = RecipeTrials(dataset, cpus or os.cpu_count() or 1, on_fold, cache)
    holdout = dataset.holdout
    return Evaluation(
        fingerprint=dataset.fingerprint,
        holdout_digest=dataset.holdout_digest,
        table=holdout.table,
        y=holdout.y,
        rows=holdout.rows,
        rounded=holdout.rounded,
        training=_training_rows(dataset),
        trivial=_trivial_prediction(dataset),
        out_of_fold=recipes.out_of_fold,
        default_recipe=_with_defaults,
        weight=_gate_weights(holdout, dataset.spec),
        group=holdout.group,
    )


def _training_rows(dataset: Dataset) -> TrainingRows:
    part = dataset.training
    return TrainingRows(
        table=part.table,
        y=part.y,
        rows=part.rows,
        rounded=part.rounded,
        weight=_gate_weights(part, dataset.spec),
        group=part.group,
    )


def _trivial_prediction(dataset: Dataset) -> Floats:
    """Return float64 (1, n_outputs): the training part's mean, or its classes' shares."""
    part = dataset.training
    if not dataset.classes:
        return np.array([[np.average(part.y, weights=part.weight)]])
    counts = np.bincount(part.y.astype(int), weights=part.weight, minlength=len(dataset.classes))
    return np.asarray(counts / counts.sum(), dtype=np.float64)[None, :]


def _gate_weights(part: DatasetPart, spec: DataSetSpec) -> Floats | None:
    """Return what each row's loss counts, on average 1; None where all count the same."""
    weight = part.weight
    if METRICS[spec.task][spec.metric].balanced:
        weight = balanced_weights(part.y, weight)
    if weight is None or not weight.any():
        return None
    relative: Floats = weight / weight.mean()
    return relative


def _with_defaults(manifest: Manifest) -> Manifest:
    """Return the learner's defaults; the forest's for a model that no learner of ours has made."""
    if manifest.algorithm in LEARNERS:
        return manifest.replace(parameters={})
    output = Output(smooth=manifest.task == "classification")
    return manifest.replace(algorithm=next(iter(LEARNERS)), parameters={}, output=output)


class RecipeTrials:
    """Refits recipes on the training part; in processes where forking is safe, or in threads.

    Losses are kept: of the same recipe and folds only the first call fits, also across commands
    where there is a cache.
    """

    def __init__(
        self,
        dataset: Dataset,
        cpus: int,
        on_fold: Callable[[], None],
        cache: LossCache | None = None,
    ) -> None:
        self.dataset = dataset
        self.cpus = cpus
        self.on_fold = on_fold
        self.x = dataset.matrix(dataset.training)
        self.cache = cache or LossCache()
        self._kept: dict[tuple[str, int], Floats] = {}

    def out_of_fold(
        self, manifest: Manifest, seeds: list[int], folds: int, *, known: Mask | None = None
    ) -> Floats:
        """Return each training row's loss when left out, see `promote.gate_input.RecipeTrial`.

        Raises:
            TrainerError: when a fold has too few rows, or the learner refuses the values.
        """
        recipe = Recipe.of_dataset(
            self.dataset, manifest.algorithm, dict(manifest.parameters), manifest.seed
        )
        # A champion of an earlier release is judged by the shares that it serves.
        recipe = replace(recipe, smooth=manifest.output.smooth)
        name = _trial_name(recipe, folds, known)
        asked = {
            "recipe": name,
            "data": self.dataset.fingerprint,
            "versions": dict(library_versions(recipe.algorithm)),
        }
        for seed in seeds:
            earlier = self.cache.find({**asked, "seed": seed}, len(self.x))
            if earlier is not None:
                self._kept.setdefault((name, seed), earlier)
        missing = [seed for seed in seeds if (name, seed) not in self._kept]
        splits = {seed: self._folds(folds, seed, known) for seed in missing}
        for seed, losses in zip(missing, self._fit_all(recipe, splits), strict=True):
            self._kept[name, seed] = losses
            self.cache.keep({**asked, "seed": seed}, losses)
        found = np.array([self._kept[name, seed] for seed in seeds])
        times = (~np.isnan(found)).sum(axis=0)
        mean: Floats = np.full(len(times), np.nan)
        np.divide(np.nansum(found, axis=0), times, out=mean, where=times > 0)
        return mean

    def _folds(self, folds: int, seed: int, known: Mask | None) -> list[Fold]:
        found = cross_validation_folds(self.dataset, n=folds, seed=seed)
        if known is None:
            return found
        return [Fold(fold.training[known[fold.training]], fold.test) for fold in found]

    def _fit_all(self, recipe: Recipe, splits: dict[int, list[Fold]]) -> Iterator[Floats]:
        """Yield float64 (n,) for each seed: the losses of all rows, nan of those not tested."""
        part = self.dataset.training
        spec = self.dataset.spec
        with self._make_executor() as pool:
            futures = {
                seed: [
                    pool.submit(recipe.fold_predictions, self.x, part.y, fold, weight=part.weight)
                    for fold in folds
                ]
                for seed, folds in splits.items()
            }
            for seed, folds in splits.items():
                losses = np.full(len(part.y), np.nan)
                for fold, future in zip(folds, futures[seed], strict=True):
                    losses[fold.test] = row_losses(
                        spec.task, spec.metric, part.y[fold.test], future.result()
                    )
                    self.on_fold()
                yield losses

    def _make_executor(self) -> Executor:
        if platform.system() == "Linux":
            return ProcessPoolExecutor(
                self.cpus,
                mp_context=get_context("fork"),
                initializer=end_with_parent,
                initargs=(os.getpid(),),
            )
        return ThreadPoolExecutor(self.cpus)


def _trial_name(recipe: Recipe, folds: int, known: Mask | None) -> str:
    rows = "" if known is None else hashlib.sha256(known.tobytes()).hexdigest()
    return f"{recipe!r} {folds} {rows}"
