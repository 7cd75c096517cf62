"""The folds that a program of its own must give evidence for, as a file: JSON or Parquet.

A record a row: `_row` (its hash), `_part` (training or holdout), `_fold_0`, `_fold_1`, ... (the
fold of each repetition that tests it; -1 if none does), the columns that are learned from, and the
target, which holdout rows lack. A Parquet file has the records as its table; JSON has them as
`rows`, with a head that says what is to be predicted.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from promote import GatePolicy
from promote.recipes import SEARCH_SEEDS
from registry.package import COLUMN_KINDS
from trainer.dataset import Dataset, DatasetPart
from trainer.folds import cross_validation_folds
from tunegate.errors import UsageError

FORMAT = "tunegate-folds/1"
PARQUET = ".parquet"
NEVER = -1
ROW = "_row"
PART = "_part"
Cells = dict[str, object]


def row_name(row: int) -> str:
    """Return a row's hash as files have it: 16 hexadecimal digits."""
    return f"{row:016x}"


def gate_folds(dataset: Dataset, policy: GatePolicy) -> dict[int, NDArray[np.int64]]:
    """Return which fold tests each training row, int64 (n,), by the repetition's seed."""
    found = dict[int, NDArray[np.int64]]()
    for seed in policy.seeds(SEARCH_SEEDS):
        found[seed] = np.full(len(dataset.training.y), NEVER)
        for number, fold in enumerate(cross_validation_folds(dataset, n=policy.folds, seed=seed)):
            found[seed][fold.test] = number
    return found


def write_folds(path: Path, dataset: Dataset, policy: GatePolicy) -> None:
    """Write the gate's folds and the rows that belong to them.

    Args:
        path: `.parquet` makes a Parquet file, any other suffix JSON.
        dataset: the data to judge on.
        policy: how many repetitions and folds.

    Raises:
        UsageError: when the file cannot be written, or a column has a name that it needs itself.
    """
    taken = {ROW, PART, *(f"_fold_{k}" for k in range(policy.repeats))}
    for name in (*(column.name for column in dataset.columns), dataset.spec.target):
        if name in taken:
            raise UsageError(f"{path}: a column is called {name}", hint="rename the column")
    records = list(_records(dataset, policy))
    try:
        if path.suffix == PARQUET:
            pq.write_table(pa.Table.from_pylist(records), path)
        else:
            path.write_text(
                json.dumps({**_head(dataset, policy), "rows": records}, allow_nan=False),
                encoding="utf-8",
            )
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="choose another file") from error


def _head(dataset: Dataset, policy: GatePolicy) -> Mapping[str, object]:
    spec = dataset.spec
    earlier = dataset.training.time is not None
    return {
        "format": FORMAT,
        "data": spec.name,
        "task": spec.task,
        "target": spec.target,
        "metric": spec.metric,
        "classes": list(dataset.classes),
        "fingerprint": dataset.fingerprint,
        "repetitions": policy.repeats,
        "folds": policy.folds,
        "learn_from": "folds with a smaller number" if earlier else "all other folds",
    }


def _records(dataset: Dataset, policy: GatePolicy) -> Iterator[Cells]:
    folds = list(gate_folds(dataset, policy).values())
    training = dataset.training
    for place in range(len(training.y)):
        target: object = float(training.y[place])
        if dataset.classes:
            target = dataset.classes[int(training.y[place])]
        numbers = {f"_fold_{k}": int(each[place]) for k, each in enumerate(folds)}
        yield {**_cells(dataset, training, place, "training", numbers), dataset.spec.target: target}
    none = dict.fromkeys((f"_fold_{k}" for k in range(len(folds))), None)
    for place in range(len(dataset.holdout.y)):
        yield {
            **_cells(dataset, dataset.holdout, place, "holdout", none),
            dataset.spec.target: None,
        }


def _cells(
    dataset: Dataset, part: DatasetPart, place: int, name: str, folds: Mapping[str, int | None]
) -> Cells:
    cells = {
        column.name: COLUMN_KINDS[column.kind].json_cell(column, part.table[column.name][place])
        for column in dataset.columns
    }
    return {ROW: row_name(int(part.rows[place])), PART: name, **folds, **cells}
