"""One HTML file that shows a run and its decision; it needs nothing else, not even a network."""

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from katib.document import Document
from katib.experiment import Experiment, to_experiment
from katib.folder import STATUS
from katib.importance import importances
from katib.space import Parameter
from promote import Ranked, Verdict
from promote.errors import NoCandidate
from registry.errors import RegistryError
from registry.files import write_atomic
from registry.package import ModelPackage
from tunegate.console import evidence_lines
from tunegate.deciding import candidates
from tunegate.workspace import Workspace

COLOURS = {"candidate": "#1f6feb", "champion": "#d29922", "muted": "#8b949e"}
SYMBOLS = {"candidate": "circle", "champion": "circle-open"}
STYLE = """
:root { color-scheme: light dark; --line: #8b949e55; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.verdict { font-size: 1.2rem; padding: .6rem 1rem; border-left: .4rem solid; }
.promote { border-color: #2da44e; } .keep, .hold { border-color: #d29922; } .refuse { border-color: #cf222e; }
.plot { border: 1px solid var(--line); border-radius: 6px; overflow: hidden; background: #fff; }
td:first-child { white-space: nowrap; } code { font-size: .9em; }
"""


def write_report(workspace: Workspace, target: Path) -> Path:
    """Write the report of the newest run and the latest verdict to `target`.

    Raises:
        UsageError: when there is no run or no verdict.
        StoreError: when the file cannot be written.
    """
    run = workspace.last_run()
    document = json.loads((run / STATUS).read_bytes())
    # Once it has run, be it on a cluster, what this machine could not run is no error.
    written = Document(str(run / STATUS), {k: v for k, v in document.items() if k != "status"})
    experiment = to_experiment(written, local=False)
    try:
        ranked = candidates(workspace, run)
    except NoCandidate:
        ranked = []
    verdict = workspace.latest_verdict()
    order = {trial["metadata"]["name"]: index for index, trial in enumerate(workspace.trials(run), 1)}
    sections = [
        ("Optimisation history", _history(experiment, ranked, order)),
        ("Parameter importances", _importances(experiment, ranked)),
        ("Parallel coordinates", _parallel(experiment, ranked)),
        ("Residuals on the holdout", _residuals(workspace, verdict)),
    ]
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections if content)
    page = _page(f"{experiment.name}: {verdict.verdict}", _verdict(verdict) + body)
    write_atomic(target, page.encode())
    return target


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


def _verdict(verdict: Verdict) -> str:
    reasons = html.escape("; ".join(verdict.reasons))
    rows = "".join(
        f"<tr><td>{'ok' if check.passed else check.otherwise}</td><td>{html.escape(check.name)}</td>"
        f"<td>{html.escape(check.detail)}</td></tr>"
        for check in verdict.checks
    )
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in evidence_lines(verdict))
    return (
        f'<p class="verdict {verdict.verdict}"><b>{verdict.verdict}</b>: {reasons}</p>{lines}{_sides(verdict)}'
        f"<h2>Checks</h2><table><tr><th></th><th>check</th><th>found</th></tr>{rows}</table>"
    )


def _sides(verdict: Verdict) -> str:
    sides = [(name, side) for name, side in (("candidate", verdict.candidate), ("champion", verdict.champion)) if side]
    if not sides:
        return ""
    head = "".join(f"<th>{name}</th>" for name, _ in sides)
    rows: list[tuple[str, list[object]]] = [
        ("trial", [side.trial for _, side in sides]),
        ("package", [side.sha256[:12] for _, side in sides]),
    ]
    rows += [(name, [side.parameters.get(name) for _, side in sides]) for name in sides[0][1].parameters]
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td><code>{html.escape(str(v))}</code></td>" for v in values)
        + "</tr>"
        for name, values in rows
    )
    return f"<table><tr><th></th>{head}</tr>{cells}</table>"


def _figure(figure: go.Figure, *, height: int = 420, top: int = 30) -> str:
    margin = {"l": 60, "r": 30, "t": top, "b": 50}
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    figure.update_layout(height=height, margin=margin, legend=legend, template="plotly_white")
    config = {"displayModeBar": False, "responsive": True}
    plot = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return f'<div class="plot">{plot}</div>'


def _history(experiment: Experiment, ranked: list[Ranked], order: dict[str, int]) -> str:
    if not ranked:
        return "<p>No trial has succeeded.</p>"
    points = sorted((order[trial.trial], trial.value, trial.trial) for trial in ranked)
    numbers, values, names = zip(*points, strict=True)
    best = (np.minimum if experiment.minimize else np.maximum).accumulate(values)
    figure = go.Figure(
        [
            go.Scatter(
                x=numbers, y=values, text=names, mode="markers", name="trial", marker_color=COLOURS["candidate"]
            ),
            go.Scatter(
                x=numbers, y=best, mode="lines", line_shape="hv", name="best so far", line_color=COLOURS["champion"]
            ),
        ]
    )
    figure.update_layout(xaxis_title="trial", yaxis_title=f"{experiment.metric} (cross-validation)")
    return _figure(figure)


def _importances(experiment: Experiment, ranked: list[Ranked]) -> str:
    trials = [(trial.assignments, trial.value) for trial in ranked]
    shares = importances(experiment.parameters, trials, minimize=experiment.minimize)
    if not shares:
        return "<p>Too few trials to tell.</p>"
    names, values = list(shares)[::-1], list(shares.values())[::-1]
    figure = go.Figure(go.Bar(x=values, y=names, orientation="h", marker_color=COLOURS["candidate"]))
    figure.update_layout(xaxis_title="share (PED-ANOVA)", yaxis_automargin=True)
    return _figure(figure, height=120 + 36 * len(names))


def _parallel(experiment: Experiment, ranked: list[Ranked]) -> str:
    if not ranked:
        return ""
    values = [trial.value for trial in ranked]
    axes = [
        _axis(parameter, [trial.assignments[parameter.name] for trial in ranked]) for parameter in experiment.parameters
    ]
    line = {"color": values, "colorscale": "Viridis", "showscale": True, "reversescale": not experiment.minimize}
    figure = go.Figure(
        go.Parcoords(line=line, labelangle=-20, dimensions=[*axes, {"label": experiment.metric, "values": values}])
    )
    return _figure(figure, height=500, top=110)


def _axis(parameter: Parameter, values: list[str]) -> dict[str, Any]:
    if parameter.choices:
        places = [parameter.choices.index(value) for value in values]
        names = list(parameter.choices)
        return {"label": parameter.name, "values": places, "tickvals": list(range(len(names))), "ticktext": names}
    numbers = [float(value) for value in values]
    if not parameter.distribution.startswith("log"):
        return {"label": parameter.name, "values": numbers}
    seen = sorted(set(numbers))
    ticks = seen[:: max(1, len(seen) // 6)]
    logs = {
        "values": np.log(numbers).tolist(),
        "tickvals": np.log(ticks).tolist(),
        "ticktext": [f"{t:g}" for t in ticks],
    }
    return {"label": f"{parameter.name} (log)", **logs}


def _residuals(workspace: Workspace, verdict: Verdict) -> str:
    from trainer.dataset import load_dataset  # noqa: PLC0415 - scikit-learn and pandas take seconds to import

    dataset = load_dataset(workspace.settings.data, include=workspace.settings.include)
    if dataset.spec.task != "regression" or dataset.fingerprint != verdict.fingerprint:
        return ""
    figure = go.Figure()
    for name, side in (("candidate", verdict.candidate), ("champion", verdict.champion)):
        package = _package(workspace, side.sha256, side.trial) if side else None
        if package:
            marker = {"color": COLOURS[name], "symbol": SYMBOLS[name], "size": 8}
            residuals = package.predict(dataset.holdout.table)[:, 0] - dataset.holdout.y
            figure.add_scatter(x=dataset.holdout.y, y=residuals, mode="markers", name=name, marker=marker)
    figure.add_hline(y=0, line_color=COLOURS["muted"])
    figure.update_layout(xaxis_title=dataset.spec.target, yaxis_title="predicted - actual")
    return _figure(figure)


def _package(workspace: Workspace, sha256: str, trial: str) -> ModelPackage | None:
    try:
        return workspace.store.open(sha256)
    except RegistryError:
        package = workspace.trial_package(trial)
        return package if isinstance(package, ModelPackage) and package.digest == sha256 else None
