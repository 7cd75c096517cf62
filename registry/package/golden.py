"""The file `golden.json`: a few input rows, and the predictions that the model must give for them.

Whatever is loaded is served later, so a row must be one that a request could send: each cell of its
column's type, and a gap only where the column takes one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from registry.errors import PackageError
from registry.package.columns import COLUMN_KINDS, Cell, Column
from registry.package.package_files import RETRAIN
from registry.record import Record

MAX_ROWS = 1000
MAX_CELLS = 1 << 23  # encoded: rows x features, a float32 each
# Relative. Forests agree to the bit, a link function may differ between maths libraries.
TOLERANCE = 1e-9


class Golden(Record, frozen=True, kw_only=True):
    """A few input rows and the predictions that belong to them."""

    rows: tuple[dict[str, bool | float | str | None], ...]
    predictions: tuple[tuple[float, ...], ...]

    def table(self, columns: Sequence[Column], path: Path) -> dict[str, list[Cell]]:
        """Return the rows by columns, checked as requests are.

        Args:
            columns: the model's.
            path: where the rows came from.

        Raises:
            PackageError: when there are too many, or a cell is missing or of another type.
        """
        n = len(self.rows)
        width = sum(column.width for column in columns)
        if n > MAX_ROWS or n * width > MAX_CELLS:
            raise PackageError(
                f"{path}: {n} rows of {width} features; a package may have {MAX_ROWS} rows "
                f"and {MAX_CELLS} cells",
                hint=RETRAIN,
            )
        return {column.name: _checked_cells(column, self.rows, path) for column in columns}

    def agrees(self, answers: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
        """Whether a model's answers, float64 (n_rows, n_outputs), are these predictions."""
        try:
            wanted = np.asarray(self.predictions, dtype=np.float64)
        except ValueError:  # rows of several lengths
            return False
        # np.allclose broadcasts: no predictions at all would agree with any.
        return bool(self.rows) and bool(
            answers.shape == wanted.shape
            and np.allclose(answers, wanted, rtol=TOLERANCE, atol=1e-12)
        )


def _checked_cells(column: Column, rows: Sequence[Mapping[str, Cell]], path: Path) -> list[Cell]:
    cell_type = COLUMN_KINDS[column.kind].cell_type(column)
    try:
        cells: list[Cell] = [row[column.name] for row in rows]
        msgspec.convert(cells, list[cell_type])  # type: ignore[valid-type] # made at run time
    except KeyError as error:
        raise PackageError(
            f"{path}: cannot be predicted: a row has no {column.name}", hint=RETRAIN
        ) from error
    except msgspec.ValidationError as error:
        raise PackageError(
            f"{path}: cannot be predicted: column {column.name}: {error}", hint=RETRAIN
        ) from error
    return cells
