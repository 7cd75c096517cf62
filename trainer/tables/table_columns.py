"""Decides every column of a parsed table, and collects notes and findings over all of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from trainer.findings import Finding
from trainer.spec import DataSetSpec
from trainer.tables.cell_meanings.cell_texts import DistinctTexts, distinct_texts
from trainer.tables.cell_meanings.missing import column_markers, mark_missing_numbers
from trainer.tables.cell_meanings.number_marks import Marks, column_mark
from trainer.tables.cell_meanings.text_columns import ReadColumn, TextColumn, decide_texts
from trainer.tables.parsed import Parsed
from trainer.tables.paste_lines import drop_line

_ALL_KINDS = frozenset({"numeric", "datetime", "categorical"})
_TOTALS = frozenset(
    {"total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "total général"}
)


@dataclass(slots=True)
class _Decisions:
    """What was found while going through the columns; sentences are joined over columns."""

    by_sentence: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, column: str, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self.by_sentence.setdefault(sentence, []).append(column)

    def notes(self) -> Iterable[str]:
        for sentence, columns in self.by_sentence.items():
            yield f"{', '.join(columns)}: {sentence}"


def read_columns(parsed: Parsed, spec: DataSetSpec) -> tuple[Parsed, tuple[Finding, ...]]:
    """Return the table with numbers and dates read out of its texts, and what was found.

    Only columns that are used are decided: the others keep what the parser made of them, and with
    it their rows' hashes.
    """
    decisions = _Decisions()
    frame = parsed.frame
    if totals := _totals_finding(parsed, spec):
        decisions.findings.append(totals)
        frame = frame.iloc[:-1]
    texts = {
        name: distinct_texts(frame[name], column_markers(spec, name), strip=spec.read.strip)
        for name in used_columns(frame, spec)
        if _is_of_texts(frame[name])
    }
    marks = _all_marks(parsed.marks, texts.values())
    changed: dict[str, pd.Series] = {}
    for name in used_columns(frame, spec):
        if name in texts:
            column = TextColumn(name, texts[name], spec, parsed.places, _possible_kinds(name, spec))
            read = _read_texts(column, frame[name], marks)
        else:
            read = _read_typed(frame[name], spec)
        decisions.add(name, read.decisions)
        if read.finding:
            decisions.findings.append(read.finding)
        changed[name] = read.cells
    cells = {str(name): changed.get(str(name), frame[name]) for name in frame.columns}
    decided = pd.DataFrame(cells, copy=False)
    notes = (*parsed.notes, *_strip_notes(texts), *decisions.notes())
    result = Parsed(decided, parsed.places, notes, marks)
    return result, tuple(decisions.findings)


def used_columns(frame: pd.DataFrame, spec: DataSetSpec) -> list[str]:
    """Return the columns that the spec learns from, or needs otherwise, in the table's order."""
    unused = set(spec.drop)
    wanted = {spec.target, spec.weight, spec.split.time, *spec.features}
    names = [str(name) for name in frame.columns]
    if spec.features:
        return [name for name in names if name in wanted - unused]
    return [name for name in names if name not in unused]


def _possible_kinds(name: str, spec: DataSetSpec) -> frozenset[str]:
    stated = spec.columns.get(name)
    if name == spec.target:
        return frozenset({"numeric"} if spec.task == "regression" else {"label"})
    if stated and stated.type:
        return frozenset({stated.type})
    return _ALL_KINDS


def _is_of_texts(column: pd.Series) -> bool:
    """Tell whether a column holds texts, alone or among other cells."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_object_dtype(column):
        found = pd.api.types.infer_dtype(column, skipna=True)
        return found in {"string", "mixed-integer", "mixed"} and not _is_nested(column)
    return pd.api.types.is_string_dtype(column)


def _is_nested(column: pd.Series) -> bool:
    return any(isinstance(cell, list | dict | tuple | bytes | np.ndarray) for cell in column)


def _all_marks(marks: Marks, columns: Iterable[DistinctTexts]) -> Marks:
    for column in columns:
        marks = marks.counting(column_mark(column.texts))
    return marks


def _read_texts(column: TextColumn, cells: pd.Series, marks: Marks) -> ReadColumn:
    if "label" in column.kinds:
        return _read_labels(column, cells, marks)
    read = decide_texts(column, marks)
    unchanged = not column.texts.stripped and not column.texts.newly_missing
    if unchanged and pd.api.types.is_string_dtype(read.cells) and not read.decisions:
        return ReadColumn(cells, finding=read.finding)
    return read


def _read_labels(column: TextColumn, cells: pd.Series, marks: Marks) -> ReadColumn:
    """Read a classification's target: numbers only where all labels are plain numbers."""
    texts = column.texts
    if not texts.newly_missing and not texts.stripped:
        return ReadColumn(cells)
    numbers = pd.to_numeric(texts.texts.to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
    del marks
    if len(numbers) and not np.isnan(numbers).any():
        return ReadColumn(pd.Series(texts.spread_numbers(numbers)))
    return ReadColumn(texts.spread(texts.texts))


def _read_typed(column: pd.Series, spec: DataSetSpec) -> ReadColumn:
    """Read a column whose cells have types: of Parquet, Excel, a query or a frame."""
    name = str(column.name)
    if pd.api.types.is_object_dtype(column):
        return _read_objects(column, spec)
    if pd.api.types.is_timedelta64_dtype(column):
        return ReadColumn(column.dt.total_seconds(), ("durations are read as seconds",))
    if isinstance(column.dtype, pd.PeriodDtype):
        return ReadColumn(column.dt.to_timestamp(), ("periods are read as their first moment",))
    if isinstance(column.dtype, pd.CategoricalDtype):
        return ReadColumn(column)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return ReadColumn(mark_missing_numbers(column, column_markers(spec, name)))
    return ReadColumn(column)


def _read_objects(column: pd.Series, spec: DataSetSpec) -> ReadColumn:
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found in {"decimal", "integer", "floating", "mixed-integer-float"}:
        return ReadColumn(pd.to_numeric(column).astype("float64"))
    if found in {"date", "datetime", "datetime64"}:
        return ReadColumn(pd.to_datetime(column, utc=_has_zone(column)))
    if found in {"boolean", "empty"} or column.isna().all():
        return ReadColumn(column)
    if _is_nested(column) or found == "bytes":
        name = str(column.name)
        problem = "holds lists, objects or bytes, which are no cells to learn from"
        finding = Finding(name, problem, "refused", (drop_line(spec.drop, name),))
        return ReadColumn(column, finding=finding)
    return ReadColumn(column.map(str, na_action="ignore").astype("str"))


def _has_zone(column: pd.Series) -> bool:
    return any(getattr(cell, "tzinfo", None) is not None for cell in column)


def _strip_notes(texts: dict[str, DistinctTexts]) -> list[str]:
    stripped = {name: column.stripped for name, column in texts.items() if column.stripped}
    if not stripped:
        return []
    example = next(iter(stripped.values()))
    note = (
        f"spaces around texts are taken off, such as {example!r}, in {', '.join(stripped)}; "
        "read.strip = false keeps them"
    )
    return [note]


def _totals_finding(parsed: Parsed, spec: DataSetSpec) -> Finding | None:
    """Return a finding if the last row looks like the sum of the others."""
    frame = parsed.frame
    for name in frame.columns:
        cell = frame[name].iloc[-1]
        if not isinstance(cell, str) or cell.strip(" :").casefold() not in _TOTALS:
            continue
        if str(name) in spec.drop or (frame[name] == cell).sum() > 1:
            continue
        place = parsed.places.place_of(len(frame) - 1)
        problem = f"{place}, the last one, says {cell!r}: it looks like the sum of the others"
        return Finding(str(name), problem, "refused", ("read.footer = 1",))
    return None
