"""A table file in, a file of predictions out, in parts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from registry.package import COLUMN_KINDS, ModelPackage
from trainer.spec import DataSetSpec
from tunegate.prediction.cells import require_columns
from tunegate.prediction.files import open_table, table_writer
from tunegate.prediction.frames import (
    OutsideRange,
    PredictionColumns,
    check_columns,
    predict_frame,
)
from tunegate.prediction.table_spec import table_spec

NAMES_SHOWN = 20


@dataclass(slots=True)
class PredictedFile:
    """What became of a table.

    Attributes:
        package: the model.
        unread: columns that the model does not know and that were not kept.
        rows: how many were predicted.
        outside: values outside of what training has seen.
    """

    package: ModelPackage
    unread: tuple[str, ...]
    rows: int = 0
    outside: OutsideRange = field(default_factory=OutsideRange)

    def sentences(self) -> Iterator[str]:
        """Yield what people should know."""
        manifest = self.package.manifest
        yield f"{self.rows} rows predicted by {manifest.name}, package {self.package.digest[:12]}"
        if self.unread:
            shown = ", ".join(self.unread[:NAMES_SHOWN])
            if len(self.unread) > NAMES_SHOWN:
                shown += ", ..."
            yield f"columns that {manifest.name} does not know, not read: {shown}"
        ranges = {column.name: column for column in manifest.columns}
        for name, count in self.outside.counts.items():
            column = ranges[name]
            kind = COLUMN_KINDS[column.kind]
            low, high = (
                kind.format_bound(column, bound or 0.0)
                for bound in (column.minimum, column.maximum)
            )
            yield (f"warning: column {name}: {count} values outside of training's {low} to {high}")


def predict_file(  # noqa: PLR0913 - what a file's prediction may be told, by keyword
    package: ModelPackage,
    source: str | Path,
    target: Path | None,
    columns: PredictionColumns,
    *,
    json_lines: bool = False,
    known: DataSetSpec | None = None,
    query: str = "",
) -> PredictedFile:
    """Predict a table's rows in their order.

    Args:
        package: the model.
        source: the rows: a path, or a URL.
        target: the file to write; None for stdout.
        columns: which columns the result has.
        json_lines: JSON lines on stdout instead of CSV.
        known: the data set's spec, if it is still known; see `table_spec`.
        query: the SQL whose rows are to predict, of a database.

    Raises:
        DataError: when the file cannot be read, lacks columns, or has cells that do not fit; a
            target file is then not written.
        UsageError: when the model or the table does not have what `columns` names.
        StoreError: when the target cannot be written.
    """
    manifest = package.manifest
    file = open_table(table_spec(manifest, source, known, query=query))
    check_columns(package, columns, file.names)
    require_columns(manifest, file.names)
    wanted = {*columns.keep, *(column.name for column in manifest.columns)}
    familiar = {*wanted, *manifest.ignored, manifest.target}
    done = PredictedFile(package, tuple(name for name in file.names if name not in familiar))
    with table_writer(target, json_lines=json_lines) as writer:
        for part in file.parts([name for name in file.names if name in wanted]):
            predicted = predict_frame(
                package, part.frame, columns, place=part.place, outside=done.outside
            )
            writer.write(predicted)
            done.rows += len(predicted)
    return done
