"""Data sets and packages in memory, for the project's own gate."""

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.populations import Draw, Population, expected_loss
from promote.gate_input import Evaluation
from registry.package import (
    Column,
    CrossValidation,
    Manifest,
    ModelPackage,
    Output,
    predict_encoded,
)
from registry.package.golden import Golden
from trainer.dataset import Dataset, DatasetPart
from trainer.learners.flatten import flatten_estimator
from trainer.recipe import Recipe
from trainer.spec import DataSetSpec
from trainer.trial import cross_validate
from tunegate.promotion.evaluation import RecipeTrials, make_evaluation

TREES = 30
TRAINING_SHARE = 0.8
Given = dict[str, int | float | str | bool | None]
P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it."""
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class InlineTrials(RecipeTrials):
    """The gate's own trials of recipes, without a process for each fit."""

    def _make_executor(self) -> Executor:
        return InlineExecutor()


@dataclass(frozen=True, slots=True)
class Case:
    """A data set, what the gate sees of it, and the rows that it was made of."""

    population: Population
    dataset: Dataset
    view: Evaluation
    training: Draw
    holdout: Draw


def make_case(population: Population, training: Draw, holdout: Draw) -> Case:
    """Make a data set of rows that are on their sides already."""
    dataset = _make_dataset(population, training, holdout)
    trials = InlineTrials(dataset, 1, lambda: None)
    view = make_evaluation(dataset, cpus=1)
    return Case(
        population,
        dataset,
        Evaluation(
            **{
                name: getattr(view, name)
                for name in view.__dataclass_fields__
                if name != "out_of_fold"
            },
            out_of_fold=trials.out_of_fold,
        ),
        training,
        holdout,
    )


def draw_case(population: Population, rows: int, rng: np.random.Generator) -> Case:
    """Draw a data set of so many rows, four fifths of them for training."""
    drawn = population.draw(rng, rows, "same")
    edge = round(rows * TRAINING_SHARE)
    return make_case(population, drawn.take(slice(0, edge)), drawn.take(slice(edge, rows)))


def _row_hashes(rows: Draw) -> NDArray[np.uint64]:
    content = np.column_stack([rows.x.astype(np.float64), rows.y])
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in content]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _make_part(rows: Draw) -> DatasetPart:
    hashes = _row_hashes(rows)
    order = np.argsort(hashes)  # as the product orders them: by their hashes
    table = {f"x{i}": rows.x[order, i].astype(np.float64) for i in range(rows.x.shape[1])}
    group = None if rows.group is None else rows.group[order]
    return DatasetPart(table, rows.y[order], hashes[order], hashes[order], group=group)


def _make_dataset(population: Population, training: Draw, holdout: Draw) -> Dataset:
    part = _make_part(training)
    held = _make_part(holdout)
    spec = DataSetSpec(
        name=population.name,
        source="drawn.csv",
        target="y",
        task="classification" if population.classes else "regression",
        metric=population.metric,
    )
    columns = tuple(
        Column(
            name=name,
            kind="numeric",
            minimum=float(values.min()),
            maximum=float(values.max()),
            typical=float(np.median(values)),
        )
        for name, values in part.table.items()
    )
    rows = np.concatenate([part.rows, held.rows])
    return Dataset(
        spec=spec,
        columns=columns,
        classes=(0, 1) if population.classes else (),
        training=part,
        holdout=held,
        fingerprint=hashlib.sha256(rows.tobytes()).hexdigest(),
        holdout_digest=hashlib.sha256(held.rows.tobytes()).hexdigest(),
    )


def fit_package(case: Case, values: Given, seed: int, *, score: float = 0.0) -> ModelPackage:
    """Fit a forest on the training part, as a trial does, and keep it in memory."""
    dataset = case.dataset
    recipe = _make_recipe(case, values, seed)
    estimator = recipe.fit(dataset.matrix(dataset.training), dataset.training.y)
    forest, output = flatten_estimator(estimator, n_features=len(dataset.columns))
    output = output.replace(smooth=recipe.smooth)
    manifest = _make_manifest(case, recipe, score).replace(output=output)
    identity = f"{manifest!r} {dataset.fingerprint}"
    return ModelPackage(
        path=Path(),
        digest=hashlib.sha256(identity.encode()).hexdigest(),
        manifest=manifest,
        predictor=forest,
        rows=np.sort(dataset.training.rows),
        residuals=None,
        golden=Golden(rows=(), predictions=()),
        card="",
        size=0,
    )


def search_score(case: Case, values: Given, seed: int, fold_seed: int) -> float:
    """Return what a trial reports: the metric over five folds."""
    recipe = _make_recipe(case, values, seed)
    return cross_validate(recipe, case.dataset, folds=5, seed=fold_seed)[0].mean


def recipe_manifest(case: Case, values: Given, seed: int, score: float = 0.0) -> Manifest:
    """Return the manifest of a package that was not fitted."""
    return _make_manifest(case, _make_recipe(case, values, seed), score)


def true_loss(population: Population, package: ModelPackage, fresh: Draw) -> float:
    """Return the loss that a package has in truth, on fresh rows."""
    predicted = predict_encoded(package.predictor, package.manifest.output, fresh.x)
    return expected_loss(population, fresh, predicted)


def _make_recipe(case: Case, values: Given, seed: int) -> Recipe:
    return Recipe.of_dataset(case.dataset, "random_forest", {"n_estimators": TREES, **values}, seed)


def _make_manifest(case: Case, recipe: Recipe, score: float) -> Manifest:
    dataset = case.dataset
    y = dataset.training.y
    return Manifest(
        name=dataset.spec.name,
        task=dataset.spec.task,
        target="y",
        prediction="p",
        classes=dataset.classes,
        columns=dataset.columns,
        metric=dataset.spec.metric,
        algorithm="random_forest",
        parameters=recipe.parameters.model_dump(),
        seed=recipe.seed,
        output=Output(),
        target_range=(float(y.min()), float(y.max())),
        training_rows=len(y),
        fingerprint=dataset.fingerprint,
        holdout=dataset.holdout_digest,
        cross_validation=CrossValidation(
            metric=dataset.spec.metric, score=score, folds=(score,), seed=0
        ),
        versions={},
        files={},
    )
