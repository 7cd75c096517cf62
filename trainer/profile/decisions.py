"""Which columns are not learned from, by rule, and which are but should be looked at.

The order of the rules: empty, constant, an identifier, the content of another column, a leak. What
the spec names in `features` or in `[columns.<name>]` is kept.
"""

from collections.abc import Collection, Sequence

import numpy as np

from trainer.findings import Finding
from trainer.profile.column_facts import ColumnFacts
from trainer.profile.identifiers import identifier_problem
from trainer.profile.leaks import nearly_settles_target, settles_target
from trainer.tables.paste_lines import drop_line, type_line

LEAST_EXCEPTIONS = 5  # rows besides the most frequent value: two rare flags may agree by chance


def decide_columns(
    columns: Sequence[ColumnFacts], target: ColumnFacts, *, named: Collection[str] = ()
) -> list[Finding]:
    """Return what is dropped by a rule, and what is kept but suspicious, in the table's order.

    Args:
        columns: the columns that could be learned from.
        target: the column to predict.
        named: names that the spec states; these are kept without a word.
    """
    twins = _find_twins(columns, target, named)
    findings = [
        _decide_column(column, target, twins.get(column.name, ""))
        for column in columns
        if column.name not in named
    ]
    return [finding for finding in findings if finding]


def _decide_column(column: ColumnFacts, target: ColumnFacts, twin: str) -> Finding | None:
    if problem := _drop_reason(column, target, twin):
        return Finding(column.name, problem, "dropped", keep_lines(column))
    if column.looks_like_numbers:
        return None
    if suspicion := nearly_settles_target(column, target):
        problem = f"{suspicion}; is it known before {target.name} is?"
        return Finding(column.name, problem, "kept", (drop_line((), column.name),))
    return None


def _drop_reason(column: ColumnFacts, target: ColumnFacts, twin: str) -> str:
    if not column.present:
        return "is empty"
    if column.distinct == 1 and not column.missing:
        return f"says {str(column.levels[0])!r} in every row"
    if problem := identifier_problem(column):
        return problem
    if twin:
        return f"has the same content as {twin}"
    if not column.looks_like_numbers and settles_target(column, target):
        return f"settles {target.name} alone: each of its values goes with one of {target.name}"
    return ""


def _find_twins(
    columns: Sequence[ColumnFacts], target: ColumnFacts, named: Collection[str]
) -> dict[str, str]:
    """Return the columns that repeat the target or a column before them, with that one's name."""
    twins: dict[str, str] = {}
    seen = {target.sketch: [target]}
    for column in sorted(columns, key=lambda column: column.name not in named):
        others = seen.setdefault(column.sketch, [])
        same = next((other for other in others if _same_content(column, other)), None)
        if same and column.name not in named:
            twins[column.name] = same.name
        else:
            others.append(column)
    return twins


def _same_content(column: ColumnFacts, other: ColumnFacts) -> bool:
    if column.distinct != other.distinct or column.is_numeric != other.is_numeric:
        return False
    exceptions = column.present - column.most_frequent
    if exceptions < LEAST_EXCEPTIONS or column.digest != other.digest:
        return False
    return column.is_numeric or bool(np.array_equal(column.levels, other.levels))


def keep_lines(column: ColumnFacts) -> tuple[str, ...]:
    """Return the spec's lines, above all its tables, any of which keeps a column after all."""
    kinds = [column.kind]
    if column.kind == "categorical" and identifier_problem(column):
        kinds = ["text", "categorical"]
    return tuple(type_line(column.name, kind) for kind in kinds)
