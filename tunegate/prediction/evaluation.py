"""A package's scores on a labelled table, with the rows that it was trained on told apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.metric_names import readable_number
from registry.package import (
    Manifest,
    ModelPackage,
)
from trainer.cells import BOOLEANS, read_numbers
from trainer.errors import DataError
from trainer.scoring.metrics import metric_names, metric_value
from trainer.spec import DataSetSpec
from trainer.split import row_hashes
from trainer.tables import ReadTable, read_table
from trainer.tables.parsed import Parsed
from trainer.tables.reading import decide_rows
from trainer.tables.result import NamedRows
from tunegate.prediction.cells import read_cells
from tunegate.prediction.table_spec import table_spec

Label = bool | int | str
Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TableEvaluation:
    """How good a package is on a table.

    Attributes:
        rows: rows that have a target.
        without_target: rows that have none, and so do not count.
        trained_on: how many of `rows` the model was trained on; None where that cannot be told.
        untold: why it cannot be told; empty where it can.
        scores: the task's metrics over all `rows`, the package's own metric first.
        fresh: the same over the rows that it was not trained on; None where there are none, or
            where they cannot be told apart.
    """

    package: ModelPackage
    rows: int
    without_target: int
    trained_on: int | None
    untold: str
    scores: Scores
    fresh: Scores | None

    @property
    def fresh_rows(self) -> int:
        """How many rows `fresh` is about."""
        return self.rows - (self.trained_on or 0)

    def to_frame(self) -> pd.DataFrame:
        """Return the scores: a row a metric, columns `all rows` and, where known, `fresh rows`."""
        scores = {"all rows": self.scores}
        if self.fresh is not None:
            scores["fresh rows"] = self.fresh
        return pd.DataFrame({name: pd.Series(dict(each)) for name, each in scores.items()})

    def __repr__(self) -> str:
        known = f", {self.fresh_rows} of them fresh" if self.fresh is not None else ""
        return f"<TableEvaluation of {self.package!r}: {self.rows} rows{known}; {self._scores()}>"

    def _scores(self) -> str:
        shown = self.scores if self.fresh is None else self.fresh
        return ", ".join(f"{name} {readable_number(value)}" for name, value in shown.items())

    def _repr_html_(self) -> str:
        head = f"<b>{escape(self.package.manifest.name)}</b>, package {self.package.digest[:12]}"
        rows = f"{self.rows} rows"
        if self.fresh is not None:
            rows = f"{rows}, {self.fresh_rows} of them fresh: not trained on"
        table = self.to_frame().to_html(float_format=readable_number, border=0)
        return f"<div><p>{head}; {rows}</p>{table}</div>"

    def to_document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        manifest = self.package.manifest
        fresh = None
        if self.fresh is not None:
            fresh = {"rows": self.fresh_rows, "scores": dict(self.fresh)}
        return {
            "model": manifest.name,
            "package": self.package.digest,
            "metric": manifest.metric,
            "rows": self.rows,
            "without_target": self.without_target,
            "trained_on": self.trained_on,
            "scores": dict(self.scores),
            "fresh": fresh,
        }


def evaluate_file(
    package: ModelPackage,
    source: str | Path,
    known: DataSetSpec | None = None,
    *,
    query: str = "",
) -> TableEvaluation:
    """Score a package on a table that has its target.

    Args:
        package: the model.
        source: the table: a path, or a URL.
        known: the data set's spec, if it is still known; see `table_spec`.
        query: the SQL whose rows are the table, of a database.

    Raises:
        DataError: when the table cannot be read, lacks columns, or has cells that do not fit.
    """
    table = read_table(table_spec(package.manifest, source, known, query=query))
    return _evaluate(package, table, str(source))


def evaluate_frame(package: ModelPackage, frame: pd.DataFrame) -> TableEvaluation:
    """Score a package on a DataFrame that has its target; cells may be texts, as in a file.

    Raises:
        DataError: when it lacks columns, or has cells that do not fit.
    """
    manifest = package.manifest
    if manifest.target not in frame.columns:
        columns = ", ".join(map(str, frame.columns))
        raise DataError(f"no column {manifest.target}", hint=f"the table has: {columns}")
    labels = [f"row {label}" for label in frame.index]
    parsed = Parsed(frame.reset_index(drop=True), NamedRows(tuple(labels)))
    return _evaluate(package, decide_rows(parsed, table_spec(manifest, "")), "the table")


def _evaluate(package: ModelPackage, table: ReadTable, label: str) -> TableEvaluation:
    manifest = package.manifest
    whole = table.frame
    has_target = whole[manifest.target].notna().to_numpy(dtype=bool)
    frame = whole[has_target]
    if frame.empty:
        raise DataError(
            f"{label}: no row has a target", hint=f"column {manifest.target} must not be empty"
        )
    positions = np.flatnonzero(has_target)

    def place(position: int) -> str:
        return table.place_of(int(positions[position]))

    y = _read_target(manifest, frame[manifest.target], place)
    predicted = package.predict(read_cells(manifest, frame, place))
    seen, untold = _seen_rows(package, frame)
    fresh = None
    if seen is not None and not seen.all():
        fresh = _score(manifest, y[~seen], predicted[~seen])
    return TableEvaluation(
        package=package,
        rows=len(frame),
        without_target=int((~has_target).sum()),
        trained_on=None if seen is None else int(seen.sum()),
        untold=untold,
        scores=_score(manifest, y, predicted),
        fresh=fresh,
    )


def _read_target(
    manifest: Manifest, column: pd.Series, place: Callable[[int], str]
) -> NDArray[np.float64]:
    """Return float64 (n,): the target, or the index of its class."""
    if not manifest.classes:
        return read_numbers(column)
    index: dict[Label, int] = {label: i for i, label in enumerate(manifest.classes)}
    found = [_class_index(cell, index) for cell in column]
    if None in found:
        wrong = found.index(None)
        known = ", ".join(map(str, manifest.classes))
        raise DataError(
            f"target {manifest.target}, {place(wrong)}: {str(column.iloc[wrong])!r} is none of "
            f"the classes: {known}",
            hint="the model was trained without this class; take its rows out",
        )
    return np.array(found, dtype=np.float64)


def _class_index(cell: object, index: Mapping[Label, int]) -> int | None:
    """Return the index of a cell's class, whether the cell has the class's type or is its text."""
    text = str(cell).strip()
    for label, i in index.items():
        if text == str(label):
            return i
        if isinstance(label, bool) and BOOLEANS.get(text.lower()) is label:
            return i
        if isinstance(label, int) and isinstance(cell, float) and cell == label:
            return i
    return None


def _seen_rows(package: ModelPackage, frame: pd.DataFrame) -> tuple[NDArray[np.bool_] | None, str]:
    """Return which rows the package was trained on; None, and why, where that cannot be told.

    A row's hash is over all columns of the training table. The package knows those that it learned
    from or dropped; there may have been more, which the table then has, too.
    """
    manifest = package.manifest
    known = [*(column.name for column in manifest.columns), *manifest.ignored, manifest.target]
    if missing := [name for name in known if name not in frame]:
        return None, f"the training table also had {', '.join(missing)}"
    found = [
        package.knows(row_hashes(table), row_hashes(table, rounded=True))
        for table in (frame[known], frame)
    ]
    return max(found, key=lambda seen: int(seen.sum())), ""


def _score(manifest: Manifest, y: NDArray[np.float64], predicted: NDArray[np.float64]) -> Scores:
    """Return the task's metrics; those that are undefined for these rows are left out."""
    task = manifest.task
    values = {
        name: metric_value(task, name, y, predicted) for name in metric_names(task, manifest.metric)
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}
