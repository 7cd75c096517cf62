"""A data set ready to learn from: typed, checked, split, and identified by its fingerprint."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import COLUMN_KINDS, Column, encode
from registry.package.columns import CellArray, Kind
from trainer.cells import BadCellError, read_cells, read_numbers
from trainer.column_kinds import choose_kinds
from trainer.errors import DataError
from trainer.findings import Finding, refuse_findings
from trainer.part_sizes import Label, check_sizes
from trainer.profile import choose_features
from trainer.spec import DataSetSpec, load_spec
from trainer.split import (
    SplitTarget,
    fingerprint,
    read_times,
    refuse_duplicates,
    row_hashes,
    rows_digest,
    split_rows,
)
from trainer.tables import ReadTable, read_table
from trainer.text_rules import text_rules
from trainer.weights import read_weights

MOSTLY = 0.5  # share of rows
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class DatasetPart:
    """Some rows of a data set; all arrays have one length.

    Attributes:
        table: raw values by column name, as `trainer.cells` reads them.
        y: float64, the target's value, or the index of its class.
        rows: uint64, the rows' hashes.
        rounded: uint64, their hashes with fractions as float32 holds them.
        weight: float64, the rows' weights; None where the spec names no column of them.
        group: uint64, equal where rows belong together by `[split] by`; None without it.
        time: int64, the place among the different times of `[split] time`; None without it.
    """

    table: dict[str, CellArray]
    y: NDArray[np.float64]
    rows: NDArray[np.uint64]
    rounded: NDArray[np.uint64]
    weight: NDArray[np.float64] | None = None
    group: NDArray[np.uint64] | None = None
    time: NDArray[np.int64] | None = None

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "DatasetPart":
        """Return the rows at these positions, or where this mask is True."""
        return DatasetPart(
            {name: values[which] for name, values in self.table.items()},
            self.y[which],
            self.rows[which],
            self.rounded[which],
            _take_given(self.weight, which),
            _take_given(self.group, which),
            _take_given(self.time, which),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A loaded data set.

    Attributes:
        columns: the input columns, as seen in the training part only.
        classes: the target's classes, sorted; empty for a regression.
        ignored: columns that are not learned from, by the spec or by a rule; requests may carry
            them.
        findings: what the rules have dropped, or kept although it is suspicious.
        fingerprint: sha256 of the rows, columns, target, metric and split.
        holdout_digest: sha256 of the holdout's row hashes.
        notes: what was decided while the table was read, one sentence each.
    """

    spec: DataSetSpec
    columns: tuple[Column, ...]
    classes: tuple[Label, ...]
    training: DatasetPart
    holdout: DatasetPart
    fingerprint: str
    holdout_digest: str
    ignored: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    def matrix(self, part: DatasetPart) -> NDArray[np.float32]:
        """Encode a part: float32 (n_rows, n_features)."""
        return encode(self.columns, part.table)


def dataset_fields(dataset: Dataset) -> dict[str, Any]:
    """Return what a package's manifest says of the data set, by the manifest's names."""
    spec = dataset.spec
    y = dataset.training.y
    return {
        "name": spec.name,
        "task": spec.task,
        "target": spec.target,
        "prediction": spec.prediction,
        "classes": dataset.classes,
        "columns": dataset.columns,
        "ignored": dataset.ignored,
        "texts": text_rules(spec),
        "metric": spec.metric,
        "target_range": (float(y.min()), float(y.max())),
        "training_rows": len(y),
        "fingerprint": dataset.fingerprint,
        "holdout": dataset.holdout_digest,
    }


def load_dataset(data: str, *, include: tuple[str, ...] = ()) -> Dataset:
    """Load a built-in data set by name, or a user's by the path of its TOML file.

    Args:
        data: name or path.
        include: columns to learn from that the spec, or a rule, drops.

    Raises:
        DataError: naming the file, the column and the line where it can.
    """
    stated = load_spec(data)
    spec = stated
    table = read_table(spec.including(tuple(name for name in include if name in spec.drop)))
    frame = table.frame
    chosen = choose_features(frame, spec, include=include)
    needed = {"", spec.target, *chosen.names}
    refuse_findings(spec.name, [found for found in table.findings if found.column in needed])
    choice = choose_kinds(frame, chosen.names, spec, include=include)
    kinds = choice.kinds
    names = tuple(kinds)
    cells = read_cells(frame, kinds, table.place_of, spec.name)
    y, classes = _read_target(table, spec)
    whole = DatasetPart(
        cells,
        y,
        row_hashes(frame),
        row_hashes(frame, rounded=True),
        weight=read_weights(frame, spec.weight, table.place_of) if spec.weight else None,
        group=row_hashes(frame, spec.split.by) if spec.split.by else None,
        time=read_times(frame, spec.split, table.place_of) if spec.split.time else None,
    )
    training, holdout, spec = _split_large_enough(whole, frame, classes, spec)
    columns = tuple(
        _describe_column(name, kinds[name], training.table[name], spec, whole=cells[name])
        for name in names
    )
    rows = np.concatenate([training.rows, holdout.rows])
    return Dataset(
        spec=spec,
        columns=columns,
        classes=classes,
        training=training,
        holdout=holdout,
        fingerprint=fingerprint(spec, names, rows),
        holdout_digest=rows_digest(np.sort(holdout.rows)),
        ignored=(
            *(name for name in spec.drop if name not in names),
            *chosen.dropped,
            *(name for name in chosen.names if name not in kinds),
        ),
        findings=chosen.findings,
        notes=(*table.notes, *choice.notes, *_split_note(stated, spec)),
    )


def _take_given(
    values: NDArray[Scalar] | None, which: NDArray[np.int64] | NDArray[np.bool_]
) -> NDArray[Scalar] | None:
    return None if values is None else values[which]


def _read_target(
    table: ReadTable, spec: DataSetSpec
) -> tuple[NDArray[np.float64], tuple[Label, ...]]:
    column = table.frame[spec.target]
    if (column == column.iloc[0]).all():
        value = str(column.iloc[0])
        raise DataError(
            f"target {spec.target}: every row says {value!r}, so there is nothing to learn"
        )
    if spec.task == "regression":
        try:
            y = read_numbers(column, fix='task = "classification"')
        except BadCellError as error:
            refuse_findings(spec.name, [error.finding(table.place_of)])
            raise
        _check_logarithm(y, table, spec)
        return y, ()
    labels = [_class_label(value) for value in column]
    classes = tuple(sorted(set(labels), key=lambda label: (isinstance(label, str), label)))
    return np.array([classes.index(label) for label in labels], dtype=np.float64), classes


def _check_logarithm(y: NDArray[np.float64], table: ReadTable, spec: DataSetSpec) -> None:
    """Refuse targets for which the stated transform or metric does not exist."""
    if spec.target_transform == "log1p" or spec.metric == "rmsle":
        wrong = np.flatnonzero(y <= -1)
        problem = "log(1 + target) does not exist"
        hint = 'leave out target_transform = "log1p" and metric = "rmsle"'
    elif spec.metric == "mape":
        wrong = np.flatnonzero(y == 0)
        problem = "mape divides by the target"
        hint = 'write metric = "mae"'
    else:
        return
    if wrong.size:
        place = table.place_of(int(wrong[0]))
        raise DataError(
            f"target {spec.target}, {place}: {y[wrong[0]]:g} ({wrong.size} in all): {problem}",
            hint=hint,
        )


def _class_label(value: object) -> Label:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if isinstance(plain, bool | int):
        return plain
    return str(plain)


def _split_large_enough(
    whole: DatasetPart, frame: pd.DataFrame, classes: tuple[Label, ...], spec: DataSetSpec
) -> tuple[DatasetPart, DatasetPart, DataSetSpec]:
    """Split as the spec says; where it says nothing and hashes fall badly, by stratum.

    Returns:
        The training part, the holdout, and the spec with the split that was made.

    Raises:
        DataError: when a part is too small.
    """
    training, holdout = _split_parts(whole, frame, spec)
    try:
        check_sizes(training.y, holdout.y, classes, spec)
    except DataError:
        if "method" in spec.split.model_fields_set or spec.split.method != "hash":
            raise
        stratified = spec.split.model_copy(update={"method": "stratified"})
        other = spec.model_copy(update={"split": stratified})
        parts = _split_parts(whole, frame, other)
        with suppress(DataError):  # the first error says what to do with these rows
            check_sizes(parts[0].y, parts[1].y, classes, other)
            return *parts, other
        raise
    return training, holdout, spec


def _split_note(stated: DataSetSpec, made: DataSetSpec) -> tuple[str, ...]:
    if made.split == stated.split:
        return ()
    note = "by hash too few rows would be on one side, so the split is by stratum"
    return (f'{note}; to state it: [split] method = "stratified"',)


def _split_parts(
    whole: DatasetPart, frame: pd.DataFrame, spec: DataSetSpec
) -> tuple[DatasetPart, DatasetPart]:
    training, holdout = (
        whole.take(positions)
        for positions in split_rows(
            frame,
            whole.rows,
            spec.split,
            SplitTarget(whole.y, spec.task == "classification"),
            whole.time,
        )
    )
    if spec.split.method == "seeded":  # the others keep equal rows together
        refuse_duplicates(training.rows, holdout.rows)
    return training, holdout


def _describe_column(
    name: str, kind: Kind, values: CellArray, spec: DataSetSpec, *, whole: CellArray
) -> Column:
    """Describe a column by its training part; only whether it has gaps is asked of all rows.

    Otherwise the server would refuse rows of the very table, where a rare gap was held out. In
    forms and examples the column is empty where it mostly was in training.
    """
    missing = COLUMN_KINDS[kind].is_missing(values)
    if missing.all():
        raise DataError(f"column {name}: no value in the training part", hint="put it into `drop`")
    fields = COLUMN_KINDS[kind].describe(values[~missing])
    if missing.mean() > MOSTLY:
        fields["typical"] = None
    stated = spec.columns.get(name)
    return Column.checked(
        {
            "name": name,
            "kind": kind,
            "nullable": bool(COLUMN_KINDS[kind].is_missing(whole).any()),
            "on_unknown": (stated and stated.on_unknown) or spec.on_unknown,
            **fields,
        }
    )
