"""One HTML file that shows a run and its decision; it needs nothing else, not even a network."""

import html
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go

from katib.diagnosis.local_run import run_failures
from katib.local.run_folder import read_run
from promote.verdict import ModelSummary, Verdict, best_finalist
from registry.atomic_files import write_atomic
from registry.errors import RegistryError
from registry.package import ModelPackage
from tunegate.console import evidence_lines
from tunegate.errors import UsageError
from tunegate.report.figure import BEST, FAR, NEAR, figure, html_table, plotly_script
from tunegate.report.search import search_sections
from tunegate.watch.board import kept_run
from tunegate.workspace import Workspace

MARKERS = {
    "candidate": {"color": NEAR, "symbol": "circle", "size": 8},
    "champion": {"color": BEST, "symbol": "circle-open", "size": 8},
}
STYLE = """
:root { color-scheme: light dark; --line: #8b949e55; }
body { background: Canvas; font: 16px/1.5 system-ui, sans-serif; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:first-child { white-space: nowrap; }
td:last-child, code { overflow-wrap: anywhere; }
code { font-size: .9em; }
.verdict { font-size: 1.2rem; padding: .6rem 1rem; border-left: .4rem solid; }
.promote { border-color: #2da44e; }
.keep, .hold { border-color: #d29922; }
.refuse { border-color: #cf222e; }
.plot { border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; overflow-y: hidden; }
.legend { margin: 0 0 .5rem; }
"""


def write_report(workspace: Workspace, target: Path) -> Path:
    """Write the report of the newest run, and of the latest verdict if there is one, to `target`.

    Raises:
        UsageError: when there is no run, or its status is damaged.
        StoreError: when the file cannot be written.
    """
    run = workspace.last_run()
    experiment, trials = kept_run(run)
    sections = search_sections(experiment, trials, run_failures(read_run(run)))
    try:
        verdict = workspace.latest_verdict()
    except UsageError as error:
        title = experiment.name
        head = f"<p>Not judged: {html.escape(f'{error}; {error.hint}')}.</p>"
    else:
        title = f"{experiment.name}: {verdict.verdict}"
        head = _verdict_section(verdict)
        sections.append(("Residuals on the holdout", _residuals_figure(workspace, verdict)))
    body = "".join(f"<h2>{name}</h2>{content}" for name, content in sections if content)
    write_atomic(target, _whole_page(title, head + body).encode())
    return target


def _whole_page(title: str, body: str) -> str:
    title = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}{plotly_script()}</body></html>\n"
    )


def _verdict_section(verdict: Verdict) -> str:
    reasons = html.escape("; ".join(verdict.reasons))
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in evidence_lines(verdict))
    return (
        f'<p class="verdict {verdict.verdict}"><b>{verdict.verdict}</b>: {reasons}</p>{lines}'
        f"{_models_table(verdict)}{_finalists_section(verdict)}{_checks_section(verdict)}"
    )


def _checks_section(verdict: Verdict) -> str:
    rows = [
        ("ok" if check.passed else check.otherwise, check.name, check.detail)
        for check in verdict.checks
    ]
    return f"<h2>Checks</h2>{html_table(('', 'check', 'found'), rows)}"


def _models_table(verdict: Verdict) -> str:
    """Compare candidate and champion: trial, package, and each parameter."""
    models = dict(_named_models(verdict))
    if not models:
        return ""
    summaries = list(models.values())
    rows: list[tuple[str, list[object]]] = [
        ("trial", [each.trial for each in summaries]),
        ("package", [each.sha256[:12] for each in summaries]),
    ]
    rows += [
        (name, [each.parameters.get(name) for each in summaries])
        for name in summaries[0].parameters
    ]
    heads = "".join(f"<th>{role}</th>" for role in models)
    lines = "".join(_code_row(name, values) for name, values in rows)
    return f"<table><tr><th></th>{heads}</tr>{lines}</table>"


def _code_row(name: str, values: list[object]) -> str:
    cells = "".join(f"<td><code>{html.escape(str(value))}</code></td>" for value in values)
    return f"<tr><td>{html.escape(name)}</td>{cells}</tr>"


def _finalists_section(verdict: Verdict) -> str:
    if not verdict.finalists:
        return ""
    chosen = verdict.finalists[best_finalist(verdict.finalists)]
    rows = []
    for each in verdict.finalists:
        name = f"{each.trial}, the candidate" if each is chosen else each.trial
        rows.append((name, f"{each.search_score:.4g}", f"{each.loss:.4g}"))
    heads = ("trial", f"{verdict.metric} in the search", "loss on folds of their own")
    return f"<h2>Finalists</h2>{html_table(heads, rows)}"


def _residuals_figure(workspace: Workspace, verdict: Verdict) -> str:
    """Draw both models' residuals; empty unless it is a regression on the data of the verdict."""
    from trainer.dataset import load_dataset  # noqa: PLC0415 - imports scikit-learn

    dataset = load_dataset(workspace.settings.data, include=workspace.settings.include)
    if dataset.spec.task != "regression" or dataset.fingerprint != verdict.fingerprint:
        return ""
    holdout = dataset.holdout
    drawn = go.Figure()
    for role, model in _named_models(verdict):
        package = _named_package(workspace, model)
        if package:
            residuals = package.predict(holdout.table)[:, 0] - holdout.y
            marker = MARKERS[role]
            drawn.add_scatter(x=holdout.y, y=residuals, mode="markers", name=role, marker=marker)
    drawn.add_hline(y=0, line_color=FAR)
    drawn.update_layout(xaxis_title=dataset.spec.target, yaxis_title="predicted - actual")
    return figure(drawn)


def _named_models(verdict: Verdict) -> Iterator[tuple[str, ModelSummary]]:
    if verdict.candidate:
        yield "candidate", verdict.candidate
    if verdict.champion:
        yield "champion", verdict.champion


def _named_package(workspace: Workspace, model: ModelSummary) -> ModelPackage | None:
    try:
        return workspace.store.open(model.sha256)
    except RegistryError:
        package = workspace.trial_package(model.trial)
        if isinstance(package, ModelPackage) and package.digest == model.sha256:
            return package
        return None
