"""The profile of a table: what each column is, what is decided about it, and why."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trainer.errors import DataError
from trainer.findings import Finding
from trainer.profile.column_facts import ColumnFacts, count_column
from trainer.profile.decisions import decide_columns
from trainer.profile.identifiers import MANY_TEXTS, names_things
from trainer.profile.suspects import MissingMarker, find_markers
from trainer.profile.target_profile import TargetProfile, profile_target

FEW_ROWS = 500  # with fewer, a split by chance alone may miss a class or the dear houses
RARE_CLASS = 50
MOSTLY_MISSING = 0.5
NEARLY_CONSTANT = 0.99
MIXING = 0x9E3779B97F4A7C15  # odd, so that a product with it loses nothing


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column that could be learned from.

    Attributes:
        name: the column's name.
        kind: what it is learned as.
        missing: share of its cells.
        distinct: how many different values it has.
        decision: "keep" or "drop".
        reason: why it is dropped, or kept but suspicious; empty where nothing is to be said.
        fix: the spec's line that overrules the decision; empty without a reason.
        notes: what else is worth knowing.
    """

    name: str
    kind: str
    missing: float
    distinct: int
    decision: Literal["keep", "drop"]
    reason: str = ""
    fix: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableProfile:
    """A table, and what is decided about it.

    Attributes:
        rows: how many there are.
        target: the column to predict.
        columns: all others, in the table's order.
        findings: what is dropped, and what is kept but suspicious.
        markers: texts and numbers that probably mean a missing value.
        repeated_rows: rows that are equal to an earlier one in every column.
    """

    rows: int
    target: TargetProfile
    columns: tuple[ColumnProfile, ...]
    findings: tuple[Finding, ...]
    markers: tuple[MissingMarker, ...]
    repeated_rows: int

    @property
    def kept(self) -> tuple[ColumnProfile, ...]:
        """The columns to learn from."""
        return tuple(column for column in self.columns if column.decision == "keep")

    @property
    def dropped(self) -> tuple[ColumnProfile, ...]:
        """The columns not to learn from."""
        return tuple(column for column in self.columns if column.decision == "drop")

    @property
    def dates(self) -> tuple[str, ...]:
        """Names of the kept columns with dates."""
        return tuple(column.name for column in self.kept if column.kind == "datetime")

    @property
    def missing_texts(self) -> tuple[str, ...]:
        """Texts that mean a missing value in every column."""
        return tuple(sorted({marker.text for marker in self.markers if marker.everywhere}))

    @property
    def missing_in(self) -> dict[str, tuple[str, ...]]:
        """Texts that mean a missing value in one column only, by its name."""
        texts: dict[str, tuple[str, ...]] = {}
        for marker in self.markers:
            if marker.certain and not marker.everywhere:
                texts[marker.column] = (*texts.get(marker.column, ()), marker.text)
        return texts

    @property
    def split(self) -> tuple[Literal["hash", "stratified"], str]:
        """How to split, and why."""
        known = self.rows - self.target.missing
        if known < FEW_ROWS:
            return "stratified", f"only {known} rows: the holdout must be like the rest"
        rarest = self.target.rarest
        if rarest and rarest[1] < RARE_CLASS:
            return "stratified", f"only {rarest[1]} rows of class {rarest[0]}"
        return "hash", "a row keeps its side when rows are appended"


def profile_table(
    frame: pd.DataFrame,
    *,
    target: str,
    task: str = "",
    named: Collection[str] = (),
) -> TableProfile:
    """Profile a table that has been read.

    Args:
        frame: the table; its columns have different names.
        target: the column to predict.
        task: overrules the rule of `profile_target`.
        named: columns to keep, whatever the rules say.

    Raises:
        DataError: when there is no such target, or nothing to learn.
    """
    names = [str(name) for name in frame.columns]
    if target not in names:
        raise DataError(f"no column {target}", hint=f"columns: {', '.join(names)}")
    facts = {str(name): count_column(frame[name]) for name in frame.columns}
    aim = facts.pop(target)
    described = profile_target(aim, task)
    columns = list(facts.values())
    findings = decide_columns(columns, aim, named=named)
    decided = {finding.column: finding for finding in findings}
    asked = [column for column in columns if not _is_dropped(decided.get(column.name))]
    if described.task == "regression":
        asked.append(aim)
    markers = [marker for column in asked for marker in find_markers(column)]
    return TableProfile(
        rows=len(frame),
        target=described,
        columns=tuple(_describe_column(column, decided.get(column.name)) for column in columns),
        findings=tuple(findings),
        markers=tuple(markers),
        repeated_rows=_count_repeated([*columns, aim]),
    )


def _is_dropped(finding: Finding | None) -> bool:
    return finding is not None and finding.outcome == "dropped"


def _describe_column(column: ColumnFacts, finding: Finding | None) -> ColumnProfile:
    missing = column.missing / column.rows
    if finding is None:
        notes = tuple(_column_notes(column))
        return ColumnProfile(
            column.name, column.kind, missing, column.distinct, "keep", notes=notes
        )
    return ColumnProfile(
        column.name,
        column.kind,
        missing,
        column.distinct,
        "drop" if finding.outcome == "dropped" else "keep",
        finding.problem,
        finding.fixes[0],
    )


def _column_notes(column: ColumnFacts) -> list[str]:
    notes = []
    if column.missing:
        share = column.missing / column.rows
        notes.append(f"{'mostly missing' if share > MOSTLY_MISSING else 'missing'}: {share:.1%}")
    most = column.most_frequent
    if most >= NEARLY_CONSTANT * column.present:
        notes.append(f"{most / column.present:.1%} of the cells say the same")
    if column.kind == "categorical" and column.distinct > MANY_TEXTS:
        notes.append(f"{column.distinct:,} categories; the most frequent are learned")
    if names_things(column):
        line = 'type = "categorical"'
        notes.append(f"numbers that may be names of things; {line} takes them as such")
    return notes


def _count_repeated(columns: Sequence[ColumnFacts]) -> int:
    """Count rows whose every cell is as in an earlier row, by a hash of their codes."""
    rows = np.zeros(columns[0].rows, dtype=np.uint64)
    for column in columns:
        rows = (rows ^ column.row_keys) * np.uint64(MIXING)
        rows ^= rows >> np.uint64(29)
    rows.sort()
    return int((rows[1:] == rows[:-1]).sum())
