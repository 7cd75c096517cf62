"""One trial: cross-validate on the training part, fit, write the model package."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from registry.package import (
    COLUMN_KINDS,
    CrossValidation,
    Draft,
    Importance,
    Output,
    Predictor,
    Provenance,
    column_references,
    predict_encoded,
    write_package,
)
from registry.package.columns import Cell
from trainer.card import ManifestFields, render_model_card
from trainer.dataset import Dataset, DatasetPart, dataset_fields
from trainer.errors import TrainerError
from trainer.folds import cross_validation_folds
from trainer.learners.flatten import (
    allowed_difference,
    flatten_estimator,
    proof_rows,
    refuse_difference,
    takes_missing,
)
from trainer.onnx import require_onnx
from trainer.onnx.comparison import largest_error
from trainer.recipe import Recipe, library_versions
from trainer.scoring.importance import ImportanceMeter
from trainer.scoring.metrics import metric_names, metric_value
from trainer.scoring.out_of_bag import FittedModel, fit_whole
from trainer.scoring.residuals import OutOfFold, prediction_interval, sample_residuals

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


def cross_validate(  # noqa: PLR0913 - a cross-validation's options
    recipe: Recipe,
    dataset: Dataset,
    *,
    folds: int,
    seed: int,
    n_jobs: int = 1,
    on_fold: Callable[[Score], None] | None = None,
    meter: ImportanceMeter | None = None,
) -> list[Score]:
    """Score a recipe on the training part; the holdout is not touched.

    Args:
        on_fold: called after each fold but the last, with the data set's own metric over the folds
            so far. They are the same folds for every recipe, so that two recipes can be compared
            before either has finished.
        meter: measures the importances of the columns with each fold's model.

    Returns:
        One score a metric of the task, the data set's own metric first. Other metrics that are
        undefined in a fold, such as mape where a target is 0, are left out.
    """
    part = dataset.training
    metric = dataset.spec.metric
    x = dataset.matrix(part)
    splits = cross_validation_folds(dataset, n=folds, seed=seed)
    tests = [fold.test for fold in splits]
    predicted = list[NDArray[np.float64]]()
    for fold in splits:
        estimator, answers = recipe.fit_fold(x, part.y, fold, weight=part.weight, n_jobs=n_jobs)
        predicted.append(answers)
        if meter:
            meter.measure_fold(estimator, fold, x, answers)
        del estimator  # a forest of many rows is large, and the next one is on its way
        if on_fold and len(predicted) < folds:
            on_fold(Score(metric, _fold_metrics(dataset, metric, tests, predicted)))
    found = OutOfFold.join(tests, predicted)
    scores = [
        Score(name, _fold_metrics(dataset, name, tests, predicted), out_of_fold=found)
        for name in metric_names(dataset.spec.task, metric)
    ]
    return [score for score in scores if score.metric == metric or np.isfinite(score.folds).all()]


def left_out_metrics(task: str, scores: Sequence[Score]) -> list[str]:
    """Return the task's metrics that are not among these scores, because they are undefined."""
    scored = {score.metric for score in scores}
    return [name for name in metric_names(task, scores[0].metric) if name not in scored]


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
            f"{score.metric} is not finite",
            hint="scale the target, choose milder values, or another `metric` in the spec",
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
    importances: tuple[Importance, ...] = (),
    on_fitted: Callable[[FittedModel], None] = lambda _: None,
) -> str:
    """Fit on the whole training part, write the model package to `target`, return its digest.

    Args:
        score: of the cross-validation; its predictions give the package's residuals and interval.
        onnx: whether to add a copy for other servers; its error goes onto the card.
        importances: of the columns, as the meter of the cross-validation gives them.
        on_fitted: called with the model, before its package is written.

    Raises:
        TrainerError: when `onnx` is True and its libraries are not installed.
        StoreError: when the volume is full or read-only.
    """
    x = dataset.matrix(dataset.training)
    if onnx:
        require_onnx()
    model = fit_whole(recipe, dataset, x, n_jobs=n_jobs)
    on_fitted(model)
    predictor, output = flatten_estimator(model.estimator, n_features=x.shape[1])
    if recipe.log_target:
        output = output.replace(link="expm1")
    if recipe.smooth:
        output = output.replace(smooth=True)
    _prove(recipe, dataset, model, (predictor, output), x)
    return write_model(
        target,
        recipe,
        dataset,
        score,
        model,
        (predictor, output),
        fold_seed=fold_seed,
        onnx=onnx,
        importances=importances,
    )


def write_model(  # noqa: PLR0913 - what a package is made of
    target: Path,
    recipe: Recipe,
    dataset: Dataset,
    score: Score,
    model: FittedModel,
    flat: tuple[Predictor, Output],
    *,
    fold_seed: int,
    onnx: bool = False,
    importances: tuple[Importance, ...] = (),
) -> str:
    """Write the package of a model that was fitted and proven; return its digest.

    Args:
        model: what was fitted.
        flat: what the package holds of it; other arguments are as for `write_trial`.

    Raises:
        TrainerError, StoreError: as `write_trial` does.
    """
    predictor, output = flat
    part = dataset.training
    seen = score.out_of_fold
    libraries = require_onnx() if onnx else {}
    copy: bytes | None = None
    copy_error: float | None = None
    if onnx:
        from trainer.onnx.graph import export_onnx  # noqa: PLC0415 - imports onnx, an extra

        copy = export_onnx(predictor, output, columns=dataset.columns, classes=dataset.classes)
        copy_error = largest_error(copy, predictor, output)
    manifest = {
        **_recipe_fields(recipe, dataset, libraries),
        "output": output,
        **_score_fields(score, dataset, fold_seed),
        "importances": importances,
        "out_of_bag": model.out_of_bag,
        "reference": column_references(
            dataset.columns,
            dataset.matrix(part),
            first=[each.column for each in importances],
        ),
    }
    draft = Draft(
        manifest=manifest,
        predictor=predictor,
        rows=part.rows,
        rounded_rows=part.rounded,
        golden_rows=_golden_rows(dataset),
        card=render_model_card(manifest, dataset, onnx_error=copy_error),
        residuals=sample_residuals(seen, part, task=recipe.task) if seen else None,
        onnx=copy,
    )
    return write_package(target, draft)


def _prove(
    recipe: Recipe,
    dataset: Dataset,
    model: FittedModel,
    flat: tuple[Predictor, Output],
    x: NDArray[np.float32],
) -> None:
    """Compare a package's answers with the estimator's, also for its golden rows.

    Raises:
        TrainerError: when one differs by more than arithmetic explains.
    """
    predictor, output = flat
    rows = np.concatenate(
        [x[_golden_places(dataset)], proof_rows(predictor, x, gaps=takes_missing(model.estimator))]
    )
    theirs = recipe.predict(model.estimator, rows, n_classes=len(dataset.classes))
    share_error = 0.0
    largest_target = 0.0
    if dataset.classes:
        share_error = recipe.learner.share_error
    else:
        largest_target = float(np.abs(recipe.learned_target(dataset.training.y)).max())
    refuse_difference(
        predict_encoded(predictor, output, rows),
        theirs,
        allowed=allowed_difference(
            predictor,
            output,
            rows,
            theirs,
            share_error=share_error,
            largest_target=largest_target,
        ),
        name=recipe.algorithm,
    )


def _score_fields(score: Score, dataset: Dataset, fold_seed: int) -> ManifestFields:
    seen = score.out_of_fold
    part = dataset.training
    return {
        "cross_validation": CrossValidation(
            metric=score.metric, score=score.mean, folds=score.folds, seed=fold_seed
        ),
        "interval": prediction_interval(seen, part.y) if seen and not dataset.classes else None,
        "scores": _out_of_fold_metrics(seen, dataset) if seen else {},
    }


def _out_of_fold_metrics(seen: OutOfFold, dataset: Dataset) -> dict[str, float]:
    """Return the task's metrics over all rows left out, but for those that are undefined."""
    spec = dataset.spec
    part = dataset.training.take(seen.rows)
    values = {
        name: metric_value(spec.task, name, part.y, seen.predicted, part.weight)
        for name in metric_names(spec.task, spec.metric)
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}


def _fold_metrics(
    dataset: Dataset,
    metric: str,
    tests: list[NDArray[np.int64]],
    predicted: list[NDArray[np.float64]],
) -> tuple[float, ...]:
    """Return a metric of each fold that has been predicted."""
    task = dataset.spec.task
    part = dataset.training
    return tuple(
        metric_value(task, metric, part.y[test], p, _weights_of(part, test))
        for test, p in zip(tests, predicted, strict=False)
    )


def _weights_of(part: DatasetPart, rows: NDArray[np.int64]) -> NDArray[np.float64] | None:
    return None if part.weight is None else part.weight[rows]


def _recipe_fields(recipe: Recipe, dataset: Dataset, libraries: dict[str, str]) -> ManifestFields:
    return {
        **dataset_fields(dataset),
        "algorithm": recipe.algorithm,
        "parameters": recipe.parameters.model_dump(),
        "seed": recipe.seed,
        "versions": {**library_versions(recipe.algorithm), **libraries},
        "provenance": _read_provenance(),
    }


def _read_provenance() -> Provenance:
    # Katib sets it in every trial, and so does the local engine.
    trial = os.environ.get("KATIB_TRIAL_NAME", "")
    commit = os.environ.get("GIT_COMMIT") or os.environ.get("GITHUB_SHA", "")
    return Provenance(experiment=trial.rpartition("-")[0], trial=trial, git_commit=commit)


def _golden_places(dataset: Dataset) -> list[int]:
    """Pick training rows spread over the target, and one with missing values if there is one."""
    part = dataset.training
    by_target = np.argsort(part.y, kind="stable")
    spread = by_target[np.linspace(0, len(part.y) - 1, GOLDEN_ROWS).astype(int)]
    missing = [
        COLUMN_KINDS[column.kind].is_missing(part.table[column.name]) for column in dataset.columns
    ]
    with_gaps = np.flatnonzero(np.logical_or.reduce(missing))[:1]
    return [*spread.tolist(), *with_gaps.tolist()]


def _golden_rows(dataset: Dataset) -> list[dict[str, Cell]]:
    table = dataset.training.table
    return [
        {
            column.name: COLUMN_KINDS[column.kind].json_cell(column, table[column.name][i])
            for column in dataset.columns
        }
        for i in _golden_places(dataset)
    ]
