"""The report's part on the decision: the verdict, both models, the finalists, the checks."""

import html
from collections.abc import Iterator, Sequence

from promote.verdict import ColumnDrift, ModelSummary, Verdict, best_finalist
from registry.metric_names import loss_name, metric_name, readable_number
from registry.package.manifest import Scalar
from tunegate.console import evidence_lines
from tunegate.report.figure import Cell, TableRow, html_table, rounded_cell


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
        ("Drift", drift_table(verdict.drift)),
        ("Checks", _checks_table(verdict)),
    ]


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
