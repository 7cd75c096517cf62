"""Reads what a program of its own predicted for the gate's folds, and makes a package of it.

The file has a record for each prediction: `_row`, `_repetition` and `_fold` as the folds' file has
them (both empty for a holdout row), and `prediction`, or for a classification a number for each
class, by the class's name. JSON has them as `predictions`, next to `model`, `version` and, if
wanted, `served_at` and `parameters`; a Parquet file has the same as columns `_model`, `_version`
and `_served_at`, equal in each row.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from promote import GatePolicy
from registry.errors import PackageError
from registry.package import CrossValidation, Draft, Provenance, write_package
from registry.package.columns import Cell
from registry.package.outside import EVIDENCE_FORMAT, OutsideEvidence
from trainer.dataset import Dataset, dataset_fields, load_dataset
from trainer.learners.tree_nodes import TreeNodes, join_trees
from trainer.scoring.metrics import metric_value
from tunegate.console import say
from tunegate.errors import UsageError
from tunegate.promotion.folds_file import NEVER, PARQUET, ROW, gate_folds, row_name
from tunegate.workspace import Workspace

FORMAT = "tunegate-evidence/1"
MODEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
HINT = "docs/models.md describes the file; `tunegate gate --folds FILE` writes the folds"
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Statement:
    """A file's content: what the model is, and its predictions as a table."""

    model: str
    version: str
    served_at: str
    predictions: pd.DataFrame
    parameters: dict[str, bool | int | float | str | None] = field(default_factory=dict)


def keep_evidence(workspace: Workspace, path: Path) -> str:
    """Read a file of evidence, write its package into the store, return the trial's name.

    Raises:
        UsageError: when the file is not evidence for these data and the gate's folds.
    """
    settings = workspace.settings
    dataset = load_dataset(settings.data, include=settings.include)
    statement = _read(path)
    try:
        evidence = _to_evidence(statement, dataset, settings.gate)
        evidence.check(len(dataset.classes) or 1, shares=bool(dataset.classes))
    except (PackageError, ValueError) as error:
        raise UsageError(f"{path}: {error}", hint=HINT) from error
    digest = hashlib.sha256(evidence.to_json()).hexdigest()
    trial = f"{statement.model.replace('_', '-')}-{digest[:8]}"
    _write(workspace.store.trial(trial), trial, statement, evidence, dataset)
    say(f"evidence of {statement.model} {statement.version} kept as trial {trial}")
    return trial


def _read(path: Path) -> _Statement:
    try:
        if path.suffix == PARQUET:
            return _read_parquet(path)
        return _read_json(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}", hint=HINT) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a file of evidence: {error!r}", hint=HINT) from error


def _read_json(path: Path) -> _Statement:
    document = json.loads(path.read_bytes())
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r}, expected {FORMAT!r}")
    return _Statement(
        model=_model_name(document["model"]),
        version=str(document["version"]),
        served_at=str(document.get("served_at", "")),
        predictions=pd.DataFrame(document["predictions"]),
        parameters=dict(document.get("parameters", {})),
    )


def _read_parquet(path: Path) -> _Statement:
    table = pd.read_parquet(path)
    return _Statement(
        model=_model_name(_constant(table, "_model")),
        version=_constant(table, "_version"),
        served_at=_constant(table, "_served_at") if "_served_at" in table else "",
        predictions=table,
    )


def _constant(table: pd.DataFrame, name: str) -> str:
    found = table[name].unique().tolist()
    if len(found) != 1:
        raise ValueError(f"{name} is not the same in each row")
    return str(found[0])


def _model_name(name: object) -> str:
    if not isinstance(name, str) or not MODEL_NAME.fullmatch(name):
        raise ValueError(f"model {name!r}: lower-case letters, digits and _, a letter first")
    return name


def _to_evidence(statement: _Statement, dataset: Dataset, policy: GatePolicy) -> OutsideEvidence:
    """Look every row up; raises ValueError or PackageError naming what is missing or wrong."""
    names = [str(label) for label in dataset.classes] or ["prediction"]
    table = statement.predictions
    if lacking := [name for name in (ROW, "_repetition", "_fold", *names) if name not in table]:
        raise ValueError(f"no column {lacking[0]}")
    numbers = table[names].to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("a prediction is not a finite number")
    repetitions = table["_repetition"].fillna(NEVER).astype(int)
    holdout = repetitions == NEVER
    parts = [
        _left_out(table[repetitions == k], numbers[repetitions == k], dataset, folds, k)
        for k, folds in enumerate(gate_folds(dataset, policy).values())
    ]
    rows, first = np.unique(dataset.training.rows, return_index=True)
    holdout_rows = np.unique(dataset.holdout.rows)
    predicted = _by_row(table.loc[holdout, ROW], numbers[holdout])
    return OutsideEvidence(
        version=statement.version,
        served_at=statement.served_at,
        n_folds=policy.folds,
        seeds=tuple(gate_folds(dataset, policy)),
        rows=tuple(rows.tolist()),
        out_of_fold=tuple(tuple(part[place] for place in first.tolist()) for part in parts),
        holdout_rows=tuple(holdout_rows.tolist()),
        holdout=tuple(
            predicted[name] for name in _required(holdout_rows.tolist(), predicted, "the holdout")
        ),
    )


def _left_out(
    table: pd.DataFrame,
    numbers: Shares,
    dataset: Dataset,
    folds: NDArray[np.int64],
    repetition: int,
) -> list[tuple[float, ...] | None]:
    """Return each training row's prediction in one repetition, None where no fold tests it."""
    hashes = dataset.training.rows.tolist()
    expected = {row_name(row): int(fold) for row, fold in zip(hashes, folds, strict=True)}
    for name, fold in zip(table[ROW], table["_fold"], strict=True):
        if expected.get(name) != fold:
            raise ValueError(
                f"row {name} in repetition {repetition}: fold {fold:g}, but the gate has "
                f"{expected.get(name, 'no such row')}; write the folds again"
            )
    predicted = _by_row(table[ROW], numbers)
    tested = [row for row, fold in zip(hashes, folds, strict=True) if fold != NEVER]
    _required(tested, predicted, f"repetition {repetition}")
    return [predicted.get(row_name(row)) for row in hashes]


def _by_row(names: pd.Series, numbers: Shares) -> dict[str, tuple[float, ...]]:
    return dict(zip(names, map(tuple, numbers.tolist()), strict=True))


def _required(
    rows: Sequence[int], predicted: dict[str, tuple[float, ...]], where: str
) -> list[str]:
    names = [row_name(row) for row in rows]
    missing = [name for name in names if name not in predicted]
    if missing:
        raise ValueError(f"no prediction for {len(missing)} rows of {where}, such as {missing[0]}")
    return names


def _write(
    target: Path, trial: str, statement: _Statement, evidence: OutsideEvidence, dataset: Dataset
) -> None:
    part = dataset.training
    score = _cross_validation(evidence, dataset)
    n_outputs = len(dataset.classes) or 1
    manifest = {
        "format": EVIDENCE_FORMAT,
        **dataset_fields(dataset),
        "algorithm": statement.model,
        "parameters": statement.parameters,
        "seed": 0,
        "cross_validation": score,
        "versions": {statement.model: statement.version},
        "provenance": Provenance(trial=trial),
    }
    leaf = TreeNodes.leaf(np.full(n_outputs, 1 / n_outputs))
    width = sum(column.width for column in dataset.columns)
    golden = list[dict[str, Cell]]()  # nobody may ask for a prediction
    draft = Draft(
        manifest,
        join_trees([leaf], n_features=width),
        part.rows,
        golden,
        _card(statement, score, dataset),
        rounded_rows=part.rounded,
        outside=evidence,
    )
    write_package(target, draft)


def _cross_validation(evidence: OutsideEvidence, dataset: Dataset) -> CrossValidation:
    """Return the metric of each repetition, over all rows that it tests."""
    part = dataset.training
    spec = dataset.spec
    scores = []
    for seed in evidence.seeds:
        predicted = evidence.predict_left_out(seed, part.rows)
        tested = ~np.isnan(predicted).any(axis=1)
        weight = None if part.weight is None else part.weight[tested]
        scores.append(
            metric_value(spec.task, spec.metric, part.y[tested], predicted[tested], weight)
        )
    return CrossValidation(
        metric=spec.metric,
        score=float(np.mean(scores)),
        folds=tuple(scores),
        seed=evidence.seeds[0],
    )


def _card(statement: _Statement, score: CrossValidation, dataset: Dataset) -> str:
    where = f", at {statement.served_at}" if statement.served_at else ""
    return f"""\
# {dataset.spec.name}

{statement.model} {statement.version}, which is served elsewhere{where}. This package holds the
predictions that it was judged by, and no model.

- {score.metric} over rows left out, mean of {len(score.folds)} repetitions: **{score.score:.6g}**.
- Trained on {len(dataset.training.y)} rows; {len(dataset.holdout.y)} rows are held out.
"""
