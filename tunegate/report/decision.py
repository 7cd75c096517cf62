"""The report's part on the decision: the verdict, both models, the finalists, the checks."""

import html
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import plotly.graph_objects as go

from promote.explanation import detectable_gain, detection_power
from promote.verdict import ColumnDrift, ModelSummary, Verdict, best_finalist
from registry import Challenge, Entry
from registry.metric_names import loss_name, metric_name, readable_number
from registry.package.manifest import Scalar
from tunegate.console import evidence_lines
from tunegate.report.figure import BEST, FAR, Cell, TableRow, figure, html_table, rounded_cell

SHOWN_RECORDS = 20  # of the history, the newest
MOST_POWER = 0.995  # at the right end of the curve


def verdict_section(verdict: Verdict) -> str:
    """Return the verdict with its reasons and its evidence."""
    reasons = html.escape("; ".join(verdict.reasons))
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in evidence_lines(verdict))
    return f'<p class="verdict {verdict.verdict}"><b>{verdict.verdict}</b>: {reasons}</p>{lines}'


def decision_sections(verdict: Verdict) -> list[tuple[str, str]]:
    """Return titles and HTML of what the decision was made from."""
    return [
        ("Candidate and champion", _models_table(verdict)),
        ("Finalists", _finalists_table(verdict)),
        ("What these rows can show", power_curve(verdict)),
        ("Drift", drift_table(verdict.drift)),
        ("Checks", _checks_table(verdict)),
    ]


def power_curve(verdict: Verdict) -> str:
    """Draw how often each true gain would get past key 1 with these rows, and the gain seen."""
    found = verdict.recipe
    least = verdict.least_recipe
    if found is None or verdict.kind == "first" or found.high <= found.low or not 0 < least < 1:
        return ""
    widest = max(detectable_gain(found, least, power=MOST_POWER), found.gain)
    gains = np.linspace(0, widest, 101)
    shares = [detection_power(found, least, gain) for gain in gains.tolist()]
    drawn = go.Figure()
    drawn.add_scatter(x=gains, y=shares, mode="lines", name="share of cases", line={"color": BEST})
    drawn.add_vline(x=found.gain, line_color=FAR, annotation_text="seen")
    drawn.update_layout(
        xaxis_title=f"true gain, {loss_name(verdict.metric)}",
        yaxis_title="gets past key 1",
        showlegend=False,
    )
    return figure(drawn, height=320)


def history_table(entries: Sequence[Entry], challenges: Sequence[Challenge]) -> str:
    """Return what was decided when, by whom and why, the newest first; `--why` has the rest."""
    records: list[tuple[datetime, TableRow]] = []
    for entry in entries:
        given = entry.promotion
        what = f"promotion {given.number}, {entry.state}"
        why = "; ".join(given.reasons)
        row = (what, f"{given.created_at:%Y-%m-%d %H:%M}", given.sha256[:12], given.actor, why)
        records.append((given.created_at, row))
    promoted = {entry.promotion.verdict for entry in entries}
    for each in challenges:
        if each.verdict not in promoted:
            what = f"challenge c{each.number}, {each.decision}"
            why = "; ".join(each.reasons)
            row = (what, f"{each.decided_at:%Y-%m-%d %H:%M}", each.sha256[:12], each.actor, why)
            records.append((each.decided_at, row))
    if not records:
        return ""
    records.sort(key=lambda record: record[0], reverse=True)
    heads = ("", "when, UTC", "package", "by", "why")
    return html_table(heads, [row for _, row in records[:SHOWN_RECORDS]])


def drift_table(drift: Sequence[ColumnDrift]) -> str:
    """Return how far each column of the new rows is from the rows that the champion knows."""
    if not drift:
        return ""
    rows = [
        (
            each.column,
            "moved" if each.has_moved else "",
            readable_number(each.psi, 3),
            f"{each.test} {readable_number(each.statistic, 3)}",
            readable_number(each.p, 2),
        )
        for each in drift
    ]
    return html_table(("column", "", "PSI", "test", "p, adjusted"), rows, look="numbers")


def judged_models(verdict: Verdict) -> Iterator[tuple[str, ModelSummary]]:
    """Yield each model's role and summary, the candidate first."""
    if verdict.candidate:
        yield "candidate", verdict.candidate
    if verdict.champion:
        yield "champion", verdict.champion


def _checks_table(verdict: Verdict) -> str:
    rows = [
        ("ok" if check.passed else check.otherwise, check.name, check.detail)
        for check in verdict.checks
    ]
    return html_table(("", "check", "found"), rows)


def _models_table(verdict: Verdict) -> str:
    """Compare candidate and champion: trial, package, learner, and each parameter of either."""
    models = dict(judged_models(verdict))
    if not models:
        return ""
    summaries = list(models.values())
    rows: list[TableRow] = [
        ["trial", *(each.trial for each in summaries)],
        ["package", *(Cell(each.sha256[:12], each.sha256) for each in summaries)],
    ]
    if any(each.algorithm for each in summaries):
        rows.append(["model", *(each.algorithm for each in summaries)])
    names = dict.fromkeys(name for each in summaries for name in each.parameters)
    rows += [[name, *(_summary_cell(each, name) for each in summaries)] for name in names]
    return html_table(("", *models), rows)


def _summary_cell(summary: ModelSummary, name: str) -> Cell:
    if name in summary.parameters:
        return parameter_cell(summary.parameters[name])
    return Cell("")  # a parameter that the model's learner does not have


def parameter_cell(value: Scalar) -> Cell:
    """Return a hyperparameter in four significant digits, with its exact value as the title."""
    if isinstance(value, float):
        return rounded_cell(value)
    return Cell("none" if value is None else str(value))


def _finalists_table(verdict: Verdict) -> str:
    if not verdict.finalists:
        return ""
    chosen = verdict.finalists[best_finalist(verdict.finalists)]
    rows = []
    for each in verdict.finalists:
        name = f"{each.trial}, the candidate" if each is chosen else each.trial
        rows.append((name, readable_number(each.search_score), readable_number(each.loss)))
    heads = (
        "trial",
        f"{metric_name(verdict.metric)} in the search",
        f"{loss_name(verdict.metric)} on folds of their own",
    )
    return html_table(heads, rows, look="numbers")
