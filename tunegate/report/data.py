"""The report's part on the data: rows, columns by kind, gaps, and what was found in the table."""

import html
from collections import Counter
from collections.abc import Sequence

from registry.metric_names import readable_number
from registry.package import COLUMN_KINDS, Column
from trainer.dataset import Dataset
from trainer.findings import Finding
from tunegate.report.figure import Cell, html_table

LONG = 60  # letters of a text in a table


def data_profile(dataset: Dataset, findings: Sequence[Finding] = ()) -> str:
    """Return the profile of a data set.

    Args:
        dataset: as it was read.
        findings: what was found in the table, and what became of it.
    """
    return _counts(dataset) + _findings_table(findings) + _columns_table(dataset)


def _counts(dataset: Dataset) -> str:
    training = len(dataset.training.y)
    holdout = len(dataset.holdout.y)
    kinds = Counter(column.kind for column in dataset.columns)
    kinds_text = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    pairs = [
        ("Rows", f"{training + holdout:,}: {training:,} for training, {holdout:,} held out"),
        ("Columns", f"{len(dataset.columns)}: {kinds_text}"),
        ("Target", f"{dataset.spec.target}, {_target_text(dataset)}"),
        ("Fingerprint", dataset.fingerprint),
    ]
    if dataset.spec.drop:
        pairs.append(("Dropped by the spec", ", ".join(dataset.spec.drop)))
    items = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>"
        for name, text in pairs
    )
    return f'<dl class="facts">{items}</dl>'


def _target_text(dataset: Dataset) -> str:
    y = dataset.training.y
    if not dataset.classes:
        low, high = readable_number(float(y.min())), readable_number(float(y.max()))
        return f"from {low} to {high}, mean {readable_number(float(y.mean()))}"
    shares = [
        f"{label} {float((y == index).mean()):.1%}" for index, label in enumerate(dataset.classes)
    ]
    return "classes " + ", ".join(shares)


def _findings_table(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rows = [
        (each.column or "the table", each.problem, each.outcome, " or ".join(each.fixes))
        for each in findings
    ]
    return "<h3>Found in the table</h3>" + html_table(
        ("column", "what was found", "what was done", "to overrule it"), rows
    )


def _columns_table(dataset: Dataset) -> str:
    rows = [
        (
            column.name,
            column.kind,
            _missing_text(dataset, column),
            _range_cell(column),
            _typical_text(column),
        )
        for column in dataset.columns
    ]
    table = html_table(("column", "kind", "missing", "values", "typical"), rows)
    return f"<details><summary>All {len(rows)} columns</summary>{table}</details>"


def _missing_text(dataset: Dataset, column: Column) -> str:
    values = dataset.training.table[column.name]
    share = float(COLUMN_KINDS[column.kind].is_missing(values).mean())
    return f"{share:.1%}" if share else ""


def _range_cell(column: Column) -> Cell:
    if column.minimum is not None and column.maximum is not None:
        low, high = readable_number(column.minimum), readable_number(column.maximum)
        return Cell(f"{low} to {high}", f"{column.minimum!r} to {column.maximum!r}")
    text = ", ".join(column.categories)
    if len(text) <= LONG:
        return Cell(text)
    return Cell(f"{len(column.categories)} categories", text)


def _typical_text(column: Column) -> str:
    value = column.typical
    if value is None:
        return "missing"
    if isinstance(value, float) and not isinstance(value, bool):
        return readable_number(value)
    text = str(value)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"
