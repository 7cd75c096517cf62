"""What one trial does, from the top: load, cross-validate on the training part, fit, write the package."""

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import (
    HIGHER_IS_BETTER,
    METRICS,
    CrossValidation,
    Draft,
    Provenance,
    row_losses,
    write_package,
)
from trainer.card import card
from trainer.dataset import Dataset
from trainer.errors import TrainerError
from trainer.flatten import flatten
from trainer.onnx import export_onnx, largest_error, require_onnx
from trainer.recipe import Recipe
from trainer.residuals import OutOfFold, interval, residuals

GOLDEN_ROWS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """A metric over the folds of a cross-validation: each fold's mean over its rows, and what it was computed from."""

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
    told: Callable[[Score], None] | None = None,
) -> list[Score]:
    """Score a recipe on the training part; the holdout is not touched.

    Args:
        told: called after each fold but the last with the data set's own metric over the folds so far, which are the
            same ones for every recipe, so that two recipes can be compared before their ends.

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
        if told and len(predicted) < folds:
            told(Score(spec.metric, _rates(dataset, spec.metric, tests, predicted)))
    names = [spec.metric, *(name for name in METRICS[spec.task] if name != spec.metric)]
    found = _out_of_fold(tests, predicted)
    return [
        Score(name, _rates(dataset, name, tests, predicted), out_of_fold=found) for name in names
    ]


def metric_lines(scores: list[Score]) -> Iterator[str]:
    """Yield `name=<finite decimal>` for each score, as Katib's collector reads it: no exponent, no nan.

    Raises:
        TrainerError: when a score is not finite; such a trial must fail, not report.
    """
    for score in scores:
        yield f"{score.metric}={decimal(score)}"


def decimal(score: Score) -> str:
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
        TrainerError: when `onnx` is asked for and its libraries are not installed.
        StoreError: when the volume is full or read-only.
    """
    part = dataset.training
    seen = score.out_of_fold
    x = dataset.matrix(part)
    libraries = require_onnx() if onnx else {}
    forest, output = flatten(recipe.fit(x, part.y, n_jobs=n_jobs), n_features=x.shape[1])
    if onnx:
        copy = export_onnx(forest, output, columns=dataset.columns, classes=dataset.classes)
    else:
        copy = None
    error = largest_error(copy, forest, output) if copy else None
    manifest = {
        **_about(recipe, dataset, libraries),
        "output": output,
        **_scored(score, dataset, fold_seed),
    }
    draft = Draft(
        manifest,
        forest,
        part.rows,
        _golden_rows(dataset),
        card(manifest, dataset, onnx_error=error),
        residuals=residuals(seen, part.y, part.rows, task=recipe.task) if seen else None,
        onnx=copy,
    )
    return write_package(target, draft)


def _out_of_fold(tests: list[NDArray[np.int64]], predicted: list[NDArray[np.float64]]) -> OutOfFold:
    """Put what each fold's model predicted back into the order of the training part."""
    order = np.argsort(np.concatenate(tests))
    fold = np.repeat(np.arange(len(tests)), [len(test) for test in tests])
    return OutOfFold(np.concatenate(predicted)[order], fold[order])


def _scored(score: Score, dataset: Dataset, fold_seed: int) -> dict[str, Any]:
    seen = None if dataset.classes else score.out_of_fold
    return {
        "cross_validation": CrossValidation(
            metric=score.metric, score=score.mean, folds=score.folds, seed=fold_seed
        ),
        "interval": interval(seen, dataset.training.y) if seen else None,
    }


def _rates(
    dataset: Dataset,
    metric: str,
    tests: list[NDArray[np.int64]],
    predicted: list[NDArray[np.float64]],
) -> tuple[float, ...]:
    """Return a metric of each fold that has been predicted."""
    task = dataset.spec.task
    y = dataset.training.y
    return tuple(_rate(task, metric, y[test], p) for test, p in zip(tests, predicted, strict=False))


def _rate(task: str, metric: str, y: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    loss = float(row_losses(task, metric, y, predicted).mean())
    if metric in HIGHER_IS_BETTER:
        return 1.0 - loss
    return loss


def _about(recipe: Recipe, dataset: Dataset, libraries: dict[str, str]) -> dict[str, Any]:
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
        "versions": {**_versions(recipe.algorithm), **libraries},
        "provenance": _provenance(),
    }


def _versions(algorithm: str) -> dict[str, str]:
    libraries = ["numpy", "pandas", "scikit-learn", "tunegate"]
    # Two distributions provide it: xgboost and xgboost-cpu.
    if algorithm == "xgboost":
        extra = {"xgboost": import_module("xgboost").__version__}
    else:
        extra = {}
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        **extra,
    }


def _provenance() -> Provenance:
    trial = os.environ.get(
        "KATIB_TRIAL_NAME", ""
    )  # Katib puts it into every trial, and so does the local engine
    commit = os.environ.get("GIT_COMMIT") or os.environ.get("GITHUB_SHA", "")
    return Provenance(experiment=trial.rpartition("-")[0], trial=trial, git_commit=commit)


def _golden_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """Pick training rows spread over the target, and one with missing values where there is one."""
    part = dataset.training
    spread = np.argsort(part.y, kind="stable")[
        np.linspace(0, len(part.y) - 1, GOLDEN_ROWS).astype(int)
    ]
    gaps = np.flatnonzero(_missing(part.table))[:1]
    return [
        {name: _plain(values[i]) for name, values in part.table.items()} for i in [*spread, *gaps]
    ]


def _missing(table: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    flags = [[_plain(value) is None for value in values] for values in table.values()]
    some: NDArray[np.bool_] = np.logical_or.reduce(flags)
    return some


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and np.isnan(plain):
        return None
    return plain
