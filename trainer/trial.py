"""One trial: cross-validate on the training part, fit, write the model package."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.package import (
    COLUMN_KINDS,
    HIGHER_IS_BETTER,
    METRICS,
    CrossValidation,
    Draft,
    Provenance,
    row_losses,
    write_package,
)
from registry.package.columns import Cell
from trainer.card import ManifestFields, render_model_card
from trainer.dataset import Dataset
from trainer.errors import TrainerError
from trainer.flatten import flatten_estimator
from trainer.onnx import export_onnx, largest_error, require_onnx
from trainer.recipe import Recipe
from trainer.residuals import OutOfFold, prediction_interval, sample_residuals

GOLDEN_ROWS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """A metric over the folds of a cross-validation.

    Attributes:
        metric: its name.
        folds: each fold's mean over its rows, in the metric's unit.
        out_of_fold: the predictions that it was computed from.
    """

    metric: str
    folds: tuple[float, ...]
    out_of_fold: OutOfFold | None = field(default=None, compare=False, repr=False)

    @property
    def mean(self) -> float:
        """The mean over folds; what the trial reports."""
        return float(np.mean(self.folds))


def cross_validate(
    recipe: Recipe,
    dataset: Dataset,
    *,
    folds: int,
    seed: int,
    n_jobs: int = 1,
    on_fold: Callable[[Score], None] | None = None,
) -> list[Score]:
    """Score a recipe on the training part; the holdout is not touched.

    Args:
        on_fold: called after each fold but the last, with the data set's own metric over the folds
            so far. They are the same folds for every recipe, so that two recipes can be compared
            before either has finished.

    Returns:
        One score a metric of the task, the data set's own metric first.
    """
    part = dataset.training
    spec = dataset.spec
    x = dataset.matrix(part)
    splits = recipe.folds(part.y, n=folds, seed=seed)
    tests = [test for _, test in splits]
    predicted = list[NDArray[np.float64]]()
    for fold in splits:
        predicted.append(recipe.fold_predictions(x, part.y, fold, n_jobs=n_jobs))
        if on_fold and len(predicted) < folds:
            on_fold(Score(spec.metric, _fold_metrics(dataset, spec.metric, tests, predicted)))
    names = [spec.metric, *(name for name in METRICS[spec.task] if name != spec.metric)]
    found = _out_of_fold(tests, predicted)
    return [
        Score(name, _fold_metrics(dataset, name, tests, predicted), out_of_fold=found)
        for name in names
    ]


def metric_lines(scores: list[Score]) -> Iterator[str]:
    """Yield `name=<finite decimal>` a score, as Katib's collector reads it: no exponent, no nan.

    Raises:
        TrainerError: when a score is not finite; such a trial must fail, not report.
    """
    for score in scores:
        yield f"{score.metric}={format_score(score)}"


def format_score(score: Score) -> str:
    """Return a score as a finite decimal number.

    Raises:
        TrainerError: when it is not finite.
    """
    if not np.isfinite(score.mean):
        raise TrainerError(
            f"{score.metric} is not finite", hint="scale the target, or choose milder values"
        )
    return np.format_float_positional(score.mean, trim="0")


def write_trial(  # noqa: PLR0913 - a trial's options
    target: Path,
    recipe: Recipe,
    dataset: Dataset,
    score: Score,
    *,
    fold_seed: int,
    n_jobs: int = 1,
    onnx: bool = False,
) -> str:
    """Fit on the whole training part, write the model package to `target`, return its digest.

    Args:
        score: of the cross-validation; its predictions give the package's residuals and interval.
        onnx: whether to add a copy for other servers; its error goes onto the card.

    Raises:
        TrainerError: when `onnx` is True and its libraries are not installed.
        StoreError: when the volume is full or read-only.
    """
    part = dataset.training
    seen = score.out_of_fold
    x = dataset.matrix(part)
    libraries = require_onnx() if onnx else {}
    forest, output = flatten_estimator(recipe.fit(x, part.y, n_jobs=n_jobs), n_features=x.shape[1])
    copy: bytes | None = None
    copy_error: float | None = None
    if onnx:
        copy = export_onnx(forest, output, columns=dataset.columns, classes=dataset.classes)
        copy_error = largest_error(copy, forest, output)
    manifest = {
        **_recipe_fields(recipe, dataset, libraries),
        "output": output,
        **_score_fields(score, dataset, fold_seed),
    }
    draft = Draft(
        manifest=manifest,
        forest=forest,
        rows=part.rows,
        golden_rows=_golden_rows(dataset),
        card=render_model_card(manifest, dataset, onnx_error=copy_error),
        residuals=sample_residuals(seen, part.y, part.rows, task=recipe.task) if seen else None,
        onnx=copy,
    )
    return write_package(target, draft)


def _out_of_fold(tests: list[NDArray[np.int64]], predicted: list[NDArray[np.float64]]) -> OutOfFold:
    """Put what each fold's model predicted back into the order of the training part."""
    order = np.argsort(np.concatenate(tests))
    fold = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    return OutOfFold(np.concatenate(predicted)[order], fold[order])


def _score_fields(score: Score, dataset: Dataset, fold_seed: int) -> ManifestFields:
    seen = None if dataset.classes else score.out_of_fold
    return {
        "cross_validation": CrossValidation(
            metric=score.metric, score=score.mean, folds=score.folds, seed=fold_seed
        ),
        "interval": prediction_interval(seen, dataset.training.y) if seen else None,
    }


def _fold_metrics(
    dataset: Dataset,
    metric: str,
    tests: list[NDArray[np.int64]],
    predicted: list[NDArray[np.float64]],
) -> tuple[float, ...]:
    """Return a metric of each fold that has been predicted."""
    task = dataset.spec.task
    y = dataset.training.y
    return tuple(
        _metric_value(task, metric, y[test], p) for test, p in zip(tests, predicted, strict=False)
    )


def _metric_value(
    task: str, metric: str, y: NDArray[np.float64], predicted: NDArray[np.float64]
) -> float:
    loss = float(row_losses(task, metric, y, predicted).mean())
    if metric in HIGHER_IS_BETTER:  # its loss is 1 minus the rate
        return 1.0 - loss
    return loss


def _recipe_fields(recipe: Recipe, dataset: Dataset, libraries: dict[str, str]) -> ManifestFields:
    spec = dataset.spec
    y = dataset.training.y
    return {
        "name": spec.name,
        "task": spec.task,
        "target": spec.target,
        "prediction": spec.prediction,
        "classes": dataset.classes,
        "columns": dataset.columns,
        "ignored": spec.drop,
        "metric": spec.metric,
        "algorithm": recipe.algorithm,
        "parameters": recipe.parameters.model_dump(),
        "seed": recipe.seed,
        "target_range": (float(y.min()), float(y.max())),
        "training_rows": len(y),
        "fingerprint": dataset.fingerprint,
        "holdout": dataset.holdout_digest,
        "versions": {**_library_versions(recipe.algorithm), **libraries},
        "provenance": _read_provenance(),
    }


def _library_versions(algorithm: str) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("numpy", "pandas", "scikit-learn", "tunegate"):
        versions[name] = version(name)
    if algorithm == "xgboost":  # two distributions provide it: xgboost and xgboost-cpu
        versions["xgboost"] = import_module("xgboost").__version__
    return versions


def _read_provenance() -> Provenance:
    # Katib sets it in every trial, and so does the local engine.
    trial = os.environ.get("KATIB_TRIAL_NAME", "")
    commit = os.environ.get("GIT_COMMIT") or os.environ.get("GITHUB_SHA", "")
    return Provenance(experiment=trial.rpartition("-")[0], trial=trial, git_commit=commit)


def _golden_rows(dataset: Dataset) -> list[dict[str, Cell]]:
    """Pick training rows spread over the target, and one with missing values if there is one."""
    part = dataset.training
    by_target = np.argsort(part.y, kind="stable")
    spread = by_target[np.linspace(0, len(part.y) - 1, GOLDEN_ROWS).astype(int)]
    missing = [
        COLUMN_KINDS[column.kind].is_missing(part.table[column.name]) for column in dataset.columns
    ]
    with_gaps = np.flatnonzero(np.logical_or.reduce(missing))[:1]
    return [
        {name: _plain_cell(values[i]) for name, values in part.table.items()}
        for i in [*spread, *with_gaps]
    ]


def _plain_cell(value: Cell | np.generic) -> Cell:
    """Return a raw value as JSON has it."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and np.isnan(plain):
        return None
    return plain
