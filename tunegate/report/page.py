"""One HTML file that shows a run and its decision; it needs nothing else, not even a network."""

import html
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go

from katib.diagnosis.local_run import run_failures
from katib.local.run_folder import read_run
from promote.verdict import Verdict, best_finalist
from registry.atomic_files import write_atomic
from registry.errors import RegistryError
from registry.package import ModelPackage
from tunegate.console import evidence_lines
from tunegate.errors import UsageError
from tunegate.report.figure import BEST, FAR, NEAR, figure, library
from tunegate.report.search import search_sections
from tunegate.watch.board import kept_run
from tunegate.workspace import Workspace

COLOURS = {"candidate": NEAR, "champion": BEST}
SYMBOLS = {"candidate": "circle", "champion": "circle-open"}
STYLE = """
:root { color-scheme: light dark; --line: #8b949e55; }
body { background: Canvas; font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
td:last-child, code { overflow-wrap: anywhere; }
.verdict { font-size: 1.2rem; padding: .6rem 1rem; border-left: .4rem solid; }
.promote { border-color: #2da44e; } .keep, .hold { border-color: #d29922; } .refuse { border-color: #cf222e; }
.plot { border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; overflow-y: hidden; }
.legend { margin: 0 0 .5rem; }
td:first-child { white-space: nowrap; } code { font-size: .9em; }
"""


def write_report(workspace: Workspace, target: Path) -> Path:
    """Write the report of the newest run, and of the latest verdict where there is one, to `target`.

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
        head = _verdict(verdict)
        sections.append(("Residuals on the holdout", _residuals(workspace, verdict)))
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections if content)
    write_atomic(target, _page(title, head + body).encode())
    return target


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{html.escape(title)}</h1>{body}{library()}</body></html>\n"
    )


def _verdict(verdict: Verdict) -> str:
    reasons = html.escape("; ".join(verdict.reasons))
    checks = [
        ("ok" if check.passed else check.otherwise, check.name, check.detail)
        for check in verdict.checks
    ]
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in evidence_lines(verdict))
    return (
        f'<p class="verdict {verdict.verdict}"><b>{verdict.verdict}</b>: {reasons}</p>{lines}{_sides(verdict)}'
        f"{_finalists(verdict)}"
        f"<h2>Checks</h2>{_table(('', 'check', 'found'), checks)}"
    )


def _sides(verdict: Verdict) -> str:
    sides = [
        (name, side)
        for name, side in (("candidate", verdict.candidate), ("champion", verdict.champion))
        if side
    ]
    if not sides:
        return ""
    head = "".join(f"<th>{name}</th>" for name, _ in sides)
    rows: list[tuple[str, list[object]]] = [
        ("trial", [side.trial for _, side in sides]),
        ("package", [side.sha256[:12] for _, side in sides]),
    ]
    rows += [
        (name, [side.parameters.get(name) for _, side in sides]) for name in sides[0][1].parameters
    ]
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td><code>{html.escape(str(v))}</code></td>" for v in values)
        + "</tr>"
        for name, values in rows
    )
    return f"<table><tr><th></th>{head}</tr>{cells}</table>"


def _finalists(verdict: Verdict) -> str:
    if not verdict.finalists:
        return ""
    chosen = verdict.finalists[best_finalist(verdict.finalists)]
    rows = [
        (
            each.trial + ", the candidate" * (each is chosen),
            f"{each.search_score:.4g}",
            f"{each.loss:.4g}",
        )
        for each in verdict.finalists
    ]
    heads = ("trial", f"{verdict.metric} in the search", "loss on folds of their own")
    return f"<h2>Finalists</h2>{_table(heads, rows)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_row("th", heads), *(_row("td", cells) for cells in rows)]
    return f"<table>{''.join(lines)}</table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _residuals(workspace: Workspace, verdict: Verdict) -> str:
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import

    dataset = load_dataset(workspace.settings.data, include=workspace.settings.include)
    if dataset.spec.task != "regression" or dataset.fingerprint != verdict.fingerprint:
        return ""
    drawn = go.Figure()
    for name, side in (("candidate", verdict.candidate), ("champion", verdict.champion)):
        if side:
            package = _package(workspace, side.sha256, side.trial)
        else:
            package = None
        if package:
            marker = {"color": COLOURS[name], "symbol": SYMBOLS[name], "size": 8}
            residuals = package.predict(dataset.holdout.table)[:, 0] - dataset.holdout.y
            drawn.add_scatter(
                x=dataset.holdout.y, y=residuals, mode="markers", name=name, marker=marker
            )
    drawn.add_hline(y=0, line_color=FAR)
    drawn.update_layout(xaxis_title=dataset.spec.target, yaxis_title="predicted - actual")
    return figure(drawn)


def _package(workspace: Workspace, sha256: str, trial: str) -> ModelPackage | None:
    try:
        return workspace.store.open(sha256)
    except RegistryError:
        package = workspace.trial_package(trial)
        if isinstance(package, ModelPackage) and package.digest == sha256:
            return package
        return None
