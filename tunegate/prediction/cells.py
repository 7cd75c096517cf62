"""From a table's columns to the cells that a package predicts; every wrong cell is found first.

A text is read as the server reads it in a request, by the package's own rules. A table may hold
texts where a request must hold numbers or flags: those are read as training reads them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from registry.package import COLUMN_KINDS, Column, Manifest
from registry.package.columns import FLOAT32_MAX, Cell, CellArray
from registry.package.manifest import TextRules
from registry.package.text_reader import TextReader
from trainer.cells import BOOLEANS
from trainer.errors import DataError
from trainer.text_rules import MISSING_TEXTS

SHOWN = 10  # problems that one message names
NO_GAP = "no value, and training had no gap"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WrongCells:
    """Cells of one column that a model cannot take, all for one reason.

    Attributes:
        column: its name.
        problem: what is wrong with the first of them.
        first: its position in the table.
        count: how many there are.
    """

    column: str
    problem: str
    first: int
    count: int

    def sentence(self, place: Callable[[int], str]) -> str:
        """Return the problem as a line for people; `place` names a position."""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        return f"column {self.column}, {place(self.first)}: {self.problem}{more}"


def read_cells(
    manifest: Manifest, frame: pd.DataFrame, place: Callable[[int], str]
) -> dict[str, CellArray]:
    """Return the cells of the model's columns, in its own types.

    Args:
        manifest: the package's.
        frame: has at least the model's columns; cells may be texts.
        place: names a position, such as "line 7", for messages.

    Returns:
        Column name -> float64 (n,) for numbers, with NaN for missing; object (n,) of bool or str
        for others, with None for missing.

    Raises:
        DataError: when a column is missing, or cells do not fit; all of them are in the message.
    """
    require_columns(manifest, list(map(str, frame.columns)))
    rules = _text_rules(manifest)
    table: dict[str, CellArray] = {}
    wrong: list[WrongCells] = []
    for column in manifest.columns:
        table[column.name], found = _read_column(frame[column.name], TextReader(column, rules))
        wrong += found
    _refuse_cells(wrong, place)
    return table


def _text_rules(manifest: Manifest) -> TextRules:
    """Return the package's rules; those of format 1 were pandas' own, and are not in it."""
    if manifest.texts.missing:
        return manifest.texts
    return manifest.texts.replace(missing=tuple(sorted(MISSING_TEXTS)))


def require_columns(manifest: Manifest, present: Sequence[str]) -> None:
    """Refuse a table that lacks a column of the model, or has one twice.

    Raises:
        DataError: naming all of them.
    """
    names = [column.name for column in manifest.columns]
    if missing := [name for name in names if name not in present]:
        raise DataError(
            f"no column {', '.join(missing)}", hint=f"the table has: {', '.join(present)}"
        )
    if twice := [name for name in names if present.count(name) > 1]:
        raise DataError(f"two columns are called {twice[0]}", hint="rename or remove one of them")


def _read_column(values: pd.Series, reader: TextReader) -> tuple[CellArray, Sequence[WrongCells]]:
    json_type = COLUMN_KINDS[reader.column.kind].json_type
    if json_type == "number":
        return _read_numbers(values, reader)
    texts = [
        None if gap else _cell_text(cell) for cell, gap in zip(values, values.isna(), strict=True)
    ]
    if json_type == "boolean":
        return _read_each(texts, reader, lambda text: _read_flag(text, reader))
    return _read_each(texts, reader, reader.read_cell)


def _read_numbers(values: pd.Series, reader: TextReader) -> tuple[CellArray, Sequence[WrongCells]]:
    column = reader.column
    if not pd.api.types.is_numeric_dtype(values):
        meant = [reader.read(cell) if isinstance(cell, str) else cell for cell in values]
        values = pd.Series(meant, index=values.index, dtype=object)
    numbers: CellArray = pd.to_numeric(values, errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    gaps = values.isna().to_numpy(dtype=bool)
    unreadable = np.isnan(numbers) & ~gaps
    infinite = np.isinf(numbers)
    problems: list[WrongCells] = []
    if unreadable.any():
        cell = str(values.iloc[int(unreadable.argmax())])
        problems += _wrong_where(unreadable, column, f"{cell!r} is not a number")
    problems += _wrong_where(infinite, column, "not finite")
    problems += _wrong_where(
        (np.abs(numbers) > FLOAT32_MAX) & ~infinite, column, "too large for float32"
    )
    if not column.takes_missing:
        problems += _wrong_where(gaps, column, NO_GAP)
    return numbers, problems


def _read_flag(text: str | None, reader: TextReader) -> Cell:
    meant = None if text is None else reader.read(text)
    if meant is None:
        if not reader.column.takes_missing:
            raise ValueError(NO_GAP)
        return None
    flag = BOOLEANS.get(str(meant).strip().lower())
    if flag is None:
        raise ValueError(f"{text!r} is not true or false")
    return flag


def _read_each(
    texts: Sequence[str | None], reader: TextReader, read: Callable[[str | None], Cell]
) -> tuple[CellArray, Sequence[WrongCells]]:
    """Read texts, each different one once; cells with one problem are counted together."""
    meant: dict[str | None, Cell] = {}
    reasons: dict[str | None, str] = {}
    for text in dict.fromkeys(texts):
        try:
            meant[text] = read(text)
        except ValueError as error:
            reasons[text] = str(error)
    cells = np.empty(len(texts), dtype=object)
    cells[:] = [meant.get(text) for text in texts]
    gaps = np.array([text is None and None in reasons for text in texts], dtype=bool)
    others = np.array([text in reasons for text in texts], dtype=bool) & ~gaps
    problems = list(_wrong_where(gaps, reader.column, NO_GAP))
    if others.any():
        problems += _wrong_where(others, reader.column, reasons[texts[int(others.argmax())]])
    return cells, problems


def _cell_text(cell: object) -> str:
    if isinstance(cell, date):  # a datetime is one, too
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():  # a column of numbers with gaps
        return str(int(cell))
    return str(cell)


def _wrong_where(wrong: Mask, column: Column, problem: str) -> Iterator[WrongCells]:
    if wrong.any():
        yield WrongCells(column.name, problem, int(wrong.argmax()), int(wrong.sum()))


def _refuse_cells(wrong: Sequence[WrongCells], place: Callable[[int], str]) -> None:
    if not wrong:
        return
    hint = (
        "correct these cells, or take their rows out: the server refuses them, too; "
        'a model takes them that was trained with on_unknown = "missing" in its spec'
    )
    sentences = [each.sentence(place) for each in wrong[:SHOWN]]
    if len(wrong) == 1:
        raise DataError(sentences[0], hint=hint)
    if len(wrong) > SHOWN:
        sentences.append(f"and {len(wrong) - SHOWN} more problems")
    raise DataError("cells that the model cannot take:\n  " + "\n  ".join(sentences), hint=hint)
