"""Makes a package of a fitted estimator or pipeline of scikit-learn, and proves it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import FlatForest, FlatLinear, Output, Predictor, encode, predict_encoded
from trainer.dataset import Dataset, load_dataset
from trainer.errors import TrainerError
from trainer.learners import Estimator, Learner, find_learner
from trainer.learners.flatten import refuse_difference, takes_missing
from trainer.learners.linear.scaled_pipeline import output_of_linear
from trainer.own_model.features import Feature, Floats, column_inputs, follow_steps
from trainer.own_model.linear_terms import learner_settings, line_rounding, move_terms
from trainer.own_model.thresholds import move_thresholds
from trainer.recipe import Recipe
from trainer.scoring.out_of_bag import FittedModel
from trainer.trial import cross_validate, write_model

Table = dict[str, NDArray[Any]]
WIDE = frozenset({"hist_gradient_boosting", "lightgbm"})  # they read float64
WITHOUT_EFFECT = frozenset(
    {"random_state", "n_jobs", "verbose", "warm_start", "oob_score", "verbosity", "importance_type"}
)
ENCODED = frozenset({"categorical_features"})  # what the package's own encoding stands for
ROWS = 300
SPLITS = 300
STRETCH = 3  # powers of ten
MISSING_SHARE = 0.3  # of the cells in rows with gaps


def package_fitted(fitted: Estimator, data: str, target: Path, *, folds: int = 5) -> str:
    """Write the package of a fitted model; return its digest.

    The package answers as the fitted model does, which is proven on rows of the training part, on
    thresholds, and on rows with gaps. Its score is of a cross-validation of the same learner with
    the same hyperparameters on the package's own encoding; the gate compares that recipe, too.

    Args:
        fitted: an estimator of a learner's class, or a Pipeline that ends in one, fitted on
            DataFrames with the data set's columns, or arrays with them in order.
        data: a data set by its name, or by the path of its spec (.toml).
        target: the package's folder.
        folds: of the cross-validation.

    Raises:
        TrainerError: naming the step or setting that is not supported, or rows on which the
            package would answer differently.
        DataError: when the data set cannot be used.
    """
    dataset = load_dataset(data)
    *steps, final = _steps(fitted)
    learner = find_learner(final)
    names = _seen_columns(fitted, dataset)
    own_encoder = getattr(final, "_preprocessor", None)  # of histogram gradient boosting
    steps += [own_encoder] if own_encoder else []
    features = follow_steps(steps, names, column_inputs(dataset.columns))
    if learner.name in WIDE and any(feature.scaled for feature in features):
        raise TrainerError(
            f"a scaler before {learner.name} cannot be packaged: it compares float64 numbers",
            hint="leave the scaler out; trees need none",
        )
    recipe = _recipe(learner, final, features, dataset)
    flat = _flatten(learner, final, features, dataset)
    _refuse_classes(final, dataset)
    _prove(fitted, final, flat, dataset, learner)
    score = cross_validate(recipe, dataset, folds=folds, seed=0)[0]
    model = FittedModel(final, None)
    return write_model(target, recipe, dataset, score, model, flat, fold_seed=0)


def _flatten(
    learner: Learner, final: Estimator, features: Sequence[Feature], dataset: Dataset
) -> tuple[Predictor, Output]:
    """Return the fitted model, in terms of the encoded features."""
    width = sum(column.width for column in dataset.columns)
    if learner.assemble:
        gaps = {at: name for name, at in _numbers(dataset).items() if name in _nullable(dataset)}
        return move_terms(final, features, n_features=width, gaps=gaps), output_of_linear(final)
    forest, output = learner.flatten(final, len(features))
    assert isinstance(forest, FlatForest)  # noqa: S101 - only linear models are assembled
    categories = learner.left_categories(final)
    return move_thresholds(forest, features, categories, n_features=width), output


def _steps(fitted: Estimator) -> list[Any]:
    """Return a pipeline's steps, inner pipelines unfolded, or the estimator alone."""
    if type(fitted).__name__ != "Pipeline":
        return [fitted]
    return [each for _, step in fitted.steps for each in _steps(step)]


def _seen_columns(fitted: Estimator, dataset: Dataset) -> list[str]:
    """Return the columns that a model was fitted on, in its order."""
    own = _names(dataset)
    names = [str(name) for name in getattr(fitted, "feature_names_in_", own)]
    if unknown := [name for name in names if name not in own]:
        raise TrainerError(
            f"the model was fitted on columns that the data set does not learn from: "
            f"{', '.join(unknown)}",
            hint=f"columns of {dataset.spec.name}: {', '.join(own)}",
        )
    if len(names) != fitted.n_features_in_:
        raise TrainerError(
            f"the model was fitted on {fitted.n_features_in_} unnamed columns, the data set has "
            f"{len(own)}",
            hint="fit it on a DataFrame, so that columns have names",
        )
    return names


def _names(dataset: Dataset) -> list[str]:
    return [column.name for column in dataset.columns]


def _numbers(dataset: Dataset) -> dict[str, int]:
    """Return the encoded feature of each column that is one."""
    inputs = column_inputs(dataset.columns)
    return {name: index for name, index in inputs.items() if isinstance(index, int)}


def _nullable(dataset: Dataset) -> set[str]:
    return {column.name for column in dataset.columns if column.takes_missing}


def _recipe(
    learner: Learner, final: Estimator, features: Sequence[Feature], dataset: Dataset
) -> Recipe:
    """Return the recipe of the estimator's settings, so that the gate can fit it again."""
    settings = final.get_params()
    defaults = type(final)().get_params()
    known = learner.parameters.model_fields.keys() | learner.fixed.keys() | WITHOUT_EFFECT | ENCODED
    changed = [
        name
        for name, value in settings.items()
        if name not in known and value != defaults.get(name)
    ]
    if changed:
        raise TrainerError(
            f"{', '.join(changed)}: not a hyperparameter of {learner.name}, "
            "so the gate could not fit it again",
            hint=f"hyperparameters: {', '.join(learner.parameters.model_fields)}",
        )
    values = {
        name: settings[name]
        for name in learner.parameters.model_fields
        if settings.get(name) is not None
    }
    if learner.assemble:
        values = learner_settings(learner.name, values, features, dataset)
    seed = settings.get("random_state")
    return Recipe.of_dataset(dataset, learner.name, values, seed if isinstance(seed, int) else 0)


def _refuse_classes(final: Estimator, dataset: Dataset) -> None:
    found = tuple(np.asarray(getattr(final, "classes_", ())).tolist())
    if found != dataset.classes:
        raise TrainerError(
            f"the model's classes are {list(found)}, the data set's {list(dataset.classes)}",
            hint="fit it on the data set's target",
        )


def _prove(
    fitted: Estimator,
    final: Estimator,
    model: tuple[Predictor, Output],
    dataset: Dataset,
    learner: Learner,
) -> None:
    predictor, output = model
    table = _proof_table(predictor, dataset, gaps=_gaps(fitted, final))
    frame = pd.DataFrame(table)[_seen_columns(fitted, dataset)]
    rows: pd.DataFrame | NDArray[Any] = frame
    if not hasattr(fitted, "feature_names_in_"):
        rows = frame.to_numpy()
    if dataset.classes:
        theirs = np.asarray(fitted.predict_proba(rows), dtype=np.float64)
    else:
        theirs = np.asarray(fitted.predict(rows), dtype=np.float64)[:, None]
    x = encode(dataset.columns, table)
    allowed: float | Floats = learner.share_error if dataset.classes else 0.0
    if isinstance(predictor, FlatLinear):
        allowed = allowed + line_rounding(predictor, x).max(axis=1, keepdims=True)
    refuse_difference(
        predict_encoded(predictor, output, x), theirs, allowed=allowed, name=learner.name
    )


def _gaps(fitted: Estimator, final: Estimator) -> bool:
    steps = [type(each).__name__ for each in _steps(fitted)]
    return "SimpleImputer" in steps or takes_missing(final)


def _proof_table(predictor: Predictor, dataset: Dataset, *, gaps: bool) -> Table:
    """Return rows of the training part: as they are, changed where it matters, and with gaps.

    Of trees, numbers are put on thresholds and next to them; of a linear model, they are up to a
    thousand times as large or as small. Numbers are float32 already: that is how a package reads
    them.
    """
    rng = np.random.default_rng(0)
    part = dataset.training
    rows = rng.integers(0, len(part.y), ROWS + 3 * SPLITS)
    table = {name: part.table[name][rows] for name in _names(dataset)}
    numbers: Mapping[int, str] = {
        index: name for name, index in _numbers(dataset).items() if table[name].dtype == np.float64
    }
    for name in numbers.values():
        table[name] = table[name].astype(np.float32).astype(np.float64)
    if isinstance(predictor, FlatForest):
        _put_thresholds(table, predictor, numbers, rng)
    else:
        _stretch(table, numbers, rng)
    if gaps:
        _put_gaps(table, dataset, numbers, rng)
    return table


def _stretch(table: Table, numbers: Mapping[int, str], rng: np.random.Generator) -> None:
    for name in numbers.values():
        own = table[name][ROWS:]
        stretched = own * 10.0 ** rng.uniform(-STRETCH, STRETCH, len(own))
        table[name][ROWS:] = stretched.astype(np.float32).astype(np.float64)


@np.errstate(over="ignore")  # next to the largest float32
def _put_thresholds(
    table: Table, forest: FlatForest, numbers: Mapping[int, str], rng: np.random.Generator
) -> None:
    inner = (forest.left != np.arange(forest.n_nodes)) & np.isfinite(forest.threshold)
    splits = np.flatnonzero(inner & np.isin(forest.feature, list(numbers)))
    for place, split in enumerate(rng.permutation(splits)[:SPLITS]):
        on = forest.threshold[split]
        near = (on, np.nextafter(on, np.float32(np.inf)), np.nextafter(on, np.float32(-np.inf)))
        for side, value in enumerate(near):
            if np.isfinite(value):
                table[numbers[int(forest.feature[split])]][ROWS + 3 * place + side] = value


def _put_gaps(
    table: Table, dataset: Dataset, numbers: Mapping[int, str], rng: np.random.Generator
) -> None:
    """Empty cells of columns that had gaps in training; others never reach the model empty."""
    empty = dict.fromkeys(numbers.values(), np.nan) | {
        column.name: None for column in dataset.columns if column.kind == "categorical"
    }
    for name in empty.keys() & _nullable(dataset):
        table[name][:ROWS][rng.random(ROWS) < MISSING_SHARE] = empty[name]
