"""The report's part on the models: their scores, where they are wrong, which columns matter."""

import html
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from registry.metric_names import choose_usual, metric_name, usual_scores
from registry.package import Manifest, ModelPackage
from trainer.dataset import Dataset
from trainer.scoring.metrics import usual_values
from tunegate.report.figure import (
    BEST,
    FAR,
    INK,
    NEAR,
    Cell,
    TableRow,
    figure,
    html_table,
    rounded_cell,
)

Packages = Mapping[str, ModelPackage]  # by role: candidate, champion
MARKERS = {
    "candidate": {"color": NEAR, "symbol": "circle", "size": 8},
    "champion": {"color": BEST, "symbol": "circle-open", "size": 8},
}
SHOWN = 20  # importances


def score_table(dataset: Dataset, packages: Packages) -> str:
    """Compare the models by the usual metrics: in cross-validation, and on the holdout."""
    columns: dict[str, dict[str, float]] = {}
    names: dict[str, str] = {}
    for role, package in packages.items():
        manifest = package.manifest
        seen = usual_scores(manifest)
        columns[f"{role}, cross-validated"] = {each.metric: each.value for each in seen}
        holdout = dataset.holdout
        predicted = package.predict(holdout.table)
        values = usual_values(manifest.task, holdout.y, predicted, holdout.weight)
        held = choose_usual(manifest.task, values)
        columns[f"{role}, holdout"] = {each.metric: each.value for each in held}
        names |= {each.metric: each.name for each in (*seen, *held)}
    if not columns:
        return ""
    rows: list[TableRow] = [
        [name, *(_score_cell(scores.get(metric)) for scores in columns.values())]
        for metric, name in names.items()
    ]
    rows += _out_of_bag_row(packages)
    return html_table(["", *columns], rows, look="numbers")


def _score_cell(value: float | None) -> Cell:
    if value is None:
        return Cell("")
    return rounded_cell(value)


def _out_of_bag_row(packages: Packages) -> list[TableRow]:
    manifests = [package.manifest for package in packages.values()]
    if all(manifest.out_of_bag is None for manifest in manifests):
        return []
    row: list[str | Cell] = [f"{metric_name(manifests[0].metric)}, out of bag"]
    for manifest in manifests:
        row += [_score_cell(manifest.out_of_bag), Cell("")]
    return [row]


def holdout_errors(dataset: Dataset, packages: Packages) -> str:
    """Draw both models' residuals on the holdout, or the newer one's confusion matrix."""
    if not packages:
        return ""
    if dataset.spec.task == "classification":
        role, package = next(iter(packages.items()))
        return _confusion_table(dataset, role, package)
    holdout = dataset.holdout
    drawn = go.Figure()
    for role, package in packages.items():
        residuals = package.predict(holdout.table)[:, 0] - holdout.y
        marker = MARKERS[role]
        drawn.add_scatter(x=holdout.y, y=residuals, mode="markers", name=role, marker=marker)
    drawn.add_hline(y=0, line_color=FAR)
    drawn.update_layout(
        xaxis_title=f"observed {dataset.spec.target}", yaxis_title="predicted - observed"
    )
    return figure(drawn)


def _confusion_table(dataset: Dataset, role: str, package: ModelPackage) -> str:
    """Count holdout rows by observed class (a line each) and predicted class."""
    y = dataset.holdout.y.astype(int)
    predicted = package.predict(dataset.holdout.table).argmax(axis=1)
    size = len(dataset.classes)
    counts = np.bincount(y * size + predicted, minlength=size * size).reshape(size, size)
    heads = "".join(f'<th scope="col">{html.escape(str(label))}</th>' for label in dataset.classes)
    lines = [
        _confusion_line(str(label), counts[index].tolist(), index)
        for index, label in enumerate(dataset.classes)
    ]
    return (
        '<div class="box"><table class="confusion">'
        f"<caption>The {role} on the holdout, {len(y)} rows</caption>"
        f'<tr><th scope="col">observed ↓ predicted →</th>{heads}</tr>{"".join(lines)}</table></div>'
    )


def _confusion_line(label: str, counts: list[int], right: int) -> str:
    total = sum(counts) or 1
    cells = "".join(
        f'<td class="{"right" if place == right else ""}">{count} '
        f'<span class="muted small">{count / total:.0%}</span></td>'
        for place, count in enumerate(counts)
    )
    return f'<tr><th scope="row">{html.escape(label)}</th>{cells}</tr>'


def column_importances(manifest: Manifest) -> str:
    """Draw how much the metric suffers when a column is shuffled, with intervals."""
    found = manifest.importances[:SHOWN][::-1]
    if not found:
        return ""
    bars = go.Bar(
        x=[each.mean for each in found],
        y=[_short_name(each.column) for each in found],
        orientation="h",
        marker_color=NEAR,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [each.high - each.mean for each in found],
            "arrayminus": [each.mean - each.low for each in found],
            "color": INK,
            "thickness": 1.5,
            "width": 0,
        },
    )
    name = metric_name(manifest.metric)
    # Not a title of the axis, which does not wrap on a phone.
    about = (
        "<p class='muted small'>What shuffling a column costs in "
        f"{html.escape(name)}, with 90 % intervals.</p>"
    )
    layout = {"yaxis_automargin": True}
    rest = len(manifest.importances) - len(found)
    more = (
        f"<p class='muted small'>{rest} less important columns are not drawn.</p>" if rest else ""
    )
    return about + figure(go.Figure(bars, layout), height=90 + 28 * len(found)) + more


def _short_name(column: str) -> str:
    return column if len(column) <= 28 else f"{column[:27]}…"  # noqa: PLR2004 - letters
