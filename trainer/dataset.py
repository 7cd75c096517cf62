"""A data set ready to learn from: typed, checked, split, and identified by its fingerprint."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import COLUMN_KINDS, Column, encode
from registry.package.columns import CellArray, Kind
from trainer.cells import CELL_READERS, FIRST_LINE, infer_kind, read_numbers
from trainer.errors import DataError
from trainer.spec import DataSetSpec, load_spec
from trainer.split import fingerprint, refuse_duplicates, row_hashes, rows_digest, split_rows
from trainer.table import read_table

Label = bool | int | str
MIN_TRAINING = 20
MIN_HOLDOUT = 10
MIN_PER_CLASS = 5


@dataclass(frozen=True, slots=True, eq=False)
class DatasetPart:
    """Some rows of a data set; all arrays have one length.

    Attributes:
        table: raw values by column name, as `trainer.cells` reads them.
        y: float64, the target's value, or the index of its class.
        rows: uint64, the rows' hashes.
    """

    table: dict[str, CellArray]
    y: NDArray[np.float64]
    rows: NDArray[np.uint64]

    def take(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> "DatasetPart":
        """Return the rows at these positions, or where this mask is True."""
        return DatasetPart(
            {name: values[which] for name, values in self.table.items()},
            self.y[which],
            self.rows[which],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A loaded data set.

    Attributes:
        columns: the input columns, as seen in the training part only.
        classes: the target's classes, sorted; empty for a regression.
        fingerprint: sha256 of the rows, columns, target, metric and split.
        holdout_digest: sha256 of the holdout's row hashes.
    """

    spec: DataSetSpec
    columns: tuple[Column, ...]
    classes: tuple[Label, ...]
    training: DatasetPart
    holdout: DatasetPart
    fingerprint: str
    holdout_digest: str

    def matrix(self, part: DatasetPart) -> NDArray[np.float32]:
        """Encode a part: float32 (n_rows, n_features)."""
        return encode(self.columns, part.table)


def load_dataset(data: str, *, include: tuple[str, ...] = ()) -> Dataset:
    """Load a built-in data set by name, or a user's by the path of its TOML file.

    Args:
        data: name or path.
        include: dropped columns to learn from after all.

    Raises:
        DataError: naming the file, the column and the line where it can.
    """
    spec = load_spec(data).including(include)
    frame = read_table(spec)
    names = _feature_names(frame, spec)
    kinds = {name: _column_kind(frame[name], spec) for name in names}
    table = {name: CELL_READERS[kind](frame[name]) for name, kind in kinds.items()}
    y, classes = _read_target(frame[spec.target], spec)
    whole = DatasetPart(table, y, row_hashes(frame))
    training, holdout = _split_parts(whole, frame, spec)
    _check_sizes(training, holdout, classes, spec)
    columns = tuple(_describe_column(name, kinds[name], training.table[name]) for name in names)
    rows = np.concatenate([training.rows, holdout.rows])
    return Dataset(
        spec=spec,
        columns=columns,
        classes=classes,
        training=training,
        holdout=holdout,
        fingerprint=fingerprint(spec, names, rows),
        holdout_digest=rows_digest(np.sort(holdout.rows)),
    )


def _feature_names(frame: pd.DataFrame, spec: DataSetSpec) -> list[str]:
    names = list(spec.features) or [str(n) for n in frame.columns if n != spec.target]
    names = [name for name in names if name not in spec.drop]
    if not names:
        raise DataError(f"{spec.name}: no feature is left to learn from")
    return names


def _column_kind(column: pd.Series, spec: DataSetSpec) -> Kind:
    stated = spec.columns.get(str(column.name))
    if stated:
        return stated.type
    return infer_kind(column)


def _read_target(
    column: pd.Series, spec: DataSetSpec
) -> tuple[NDArray[np.float64], tuple[Label, ...]]:
    missing = np.flatnonzero(column.isna())
    if missing.size:
        line = missing[0] + FIRST_LINE
        raise DataError(
            f"target {spec.target}, line {line}: missing ({missing.size} in all)",
            hint="remove the rows without a target",
        )
    if (column == column.iloc[0]).all():
        value = str(column.iloc[0])
        raise DataError(
            f"target {spec.target}: every row says {value!r}, so there is nothing to learn"
        )
    if spec.task == "regression":
        return read_numbers(column, hint='fix the table, or set task = "classification"'), ()
    labels = [_class_label(value) for value in column]
    classes = tuple(sorted(set(labels), key=lambda label: (isinstance(label, str), label)))
    return np.array([classes.index(label) for label in labels], dtype=np.float64), classes


def _class_label(value: object) -> Label:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    if isinstance(plain, bool | int):
        return plain
    return str(plain)


def _split_parts(
    whole: DatasetPart, frame: pd.DataFrame, spec: DataSetSpec
) -> tuple[DatasetPart, DatasetPart]:
    training, holdout = (
        whole.take(positions) for positions in split_rows(frame, whole.rows, spec.split)
    )
    refuse_duplicates(training.rows, holdout.rows)
    return training, holdout


def _check_sizes(
    training: DatasetPart, holdout: DatasetPart, classes: tuple[Label, ...], spec: DataSetSpec
) -> None:
    for part, name, least in (
        (training, "training part", MIN_TRAINING),
        (holdout, "holdout", MIN_HOLDOUT),
    ):
        if len(part.y) < least:
            hint = f"at least {MIN_TRAINING} + {MIN_HOLDOUT} rows are needed; see [split] holdout"
            raise DataError(
                f"{spec.name}: too few rows: {len(part.y)} in the {name}, at least {least} needed",
                hint=hint,
            )
    if np.ptp(training.y) == 0:
        raise DataError(
            f"target {spec.target}: constant in the training part, so there is nothing to learn"
        )
    for index, label in enumerate(classes):
        if (count := int((training.y == index).sum())) < MIN_PER_CLASS:
            hint = "collect more rows of this class, join it with another, or remove its rows"
            raise DataError(
                f"class {label!r}: too few rows: {count} in the training part", hint=hint
            )


def _describe_column(name: str, kind: Kind, values: CellArray) -> Column:
    missing = COLUMN_KINDS[kind].is_missing(values)
    if missing.all():
        raise DataError(f"column {name}: no value in the training part", hint="put it into `drop`")
    fields = COLUMN_KINDS[kind].describe(values[~missing])
    return Column.checked({"name": name, "kind": kind, "nullable": bool(missing.any()), **fields})
