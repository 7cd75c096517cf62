"""Predictions for a DataFrame, as columns that join the rows they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import COLUMN_KINDS, Column, ModelPackage
from registry.package.columns import CellArray
from tunegate.errors import UsageError
from tunegate.prediction.cells import read_cells


@dataclass(frozen=True, slots=True)
class PredictionColumns:
    """Which columns predictions have.

    Attributes:
        probabilities: whether each class's probability is given, as `probability_<class>`.
        interval: whether the prediction interval is given, as `<prediction>_low` and `_high`.
        keep: the table's own columns to put in front, as they are.
    """

    probabilities: bool = False
    interval: bool = False
    keep: tuple[str, ...] = ()


@dataclass(slots=True)
class OutsideRange:
    """Values outside of what training has seen, by column; tables of many parts add up.

    Attributes:
        counts: column name -> how many.
    """

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, columns: Sequence[Column], table: dict[str, CellArray]) -> None:
        """Count a table's values."""
        for column in columns:
            if column.minimum is None or column.maximum is None:
                continue
            values = COLUMN_KINDS[column.kind].range_values(table[column.name])
            outside = int(((values < column.minimum) | (values > column.maximum)).sum())
            if outside:
                self.counts[column.name] = self.counts.get(column.name, 0) + outside


def predict_frame(
    package: ModelPackage,
    frame: pd.DataFrame,
    columns: PredictionColumns = PredictionColumns(),
    *,
    place: Callable[[int], str] | None = None,
    outside: OutsideRange | None = None,
) -> pd.DataFrame:
    """Predict a table's rows; the same numbers as the server's.

    Args:
        package: the model.
        frame: has the model's columns, in any order and with any others; they are not read.
        columns: which columns the result has.
        place: names a position for messages; by default the row's label in the index.
        outside: adds up the values outside of what training has seen.

    Returns:
        One row a row of `frame`, with its index: the kept columns, the prediction (float64, or the
        likeliest class), and what `columns` names.

    Raises:
        DataError: when columns are missing or cells do not fit; see `read_cells`.
        UsageError: when the model does not give what `columns` names.
    """
    check_columns(package, columns, list(map(str, frame.columns)))
    manifest = package.manifest
    table = read_cells(manifest, frame, place or (lambda i: f"row {frame.index[i]}"))
    if outside is not None:
        outside.add(manifest.columns, table)
    result = frame[list(columns.keep)].copy()
    return result.assign(**_prediction_columns(package, package.predict(table), columns))


def check_columns(
    package: ModelPackage, columns: PredictionColumns, present: Sequence[str]
) -> None:
    """Refuse columns that the model, or the table, does not have.

    Raises:
        UsageError: naming what is wrong.
    """
    manifest = package.manifest
    if columns.probabilities and not manifest.classes:
        raise UsageError(
            f"{manifest.name} predicts a number: it has no probabilities",
            hint="--interval shows how far off it may be",
        )
    if columns.interval and manifest.interval is None:
        raise UsageError(
            f"{manifest.name} has no prediction interval",
            hint="--probabilities shows how sure a classification is",
        )
    if missing := [name for name in columns.keep if name not in present]:
        raise UsageError(
            f"cannot keep {', '.join(missing)}: no such column",
            hint=f"the table has: {', '.join(present)}",
        )
    if taken := sorted({*columns.keep} & {*prediction_names(package, columns)}):
        raise UsageError(
            f"cannot keep {taken[0]}: the prediction has this name", hint="rename the column"
        )


def prediction_names(package: ModelPackage, columns: PredictionColumns) -> list[str]:
    """Return the names of the columns that predictions add, in order."""
    manifest = package.manifest
    names = [manifest.prediction]
    if columns.probabilities:
        names += [f"probability_{label}" for label in manifest.classes]
    if columns.interval:
        names += [f"{manifest.prediction}_low", f"{manifest.prediction}_high"]
    return names


def _prediction_columns(
    package: ModelPackage, predicted: NDArray[np.float64], columns: PredictionColumns
) -> dict[str, CellArray]:
    classes = package.manifest.classes
    if classes:
        labels = np.array(classes, dtype=object)[predicted.argmax(axis=1)]
        values: list[CellArray] = [pd.Series(labels).infer_objects().to_numpy()]
    else:
        values = [predicted[:, 0]]
    if columns.probabilities:
        values += list(predicted.T)
    ends = package.interval(predicted) if columns.interval else None
    if ends is not None:
        values += list(ends.T)
    return dict(zip(prediction_names(package, columns), values, strict=True))
