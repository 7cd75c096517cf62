"""The report's part on the search: its history, which parameters mattered, and all trials side by side."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from katib.diagnosis.trial_failures import Failure
from katib.experiment import Experiment
from katib.search.importance import parameter_importances
from tunegate.report.figure import BAD, BEST, FAR, NEAR, figure
from tunegate.report.parallel import NO_RESULT, STOPPED, parallel
from tunegate.watch.board import Board, Row, failed_rows, stopped_rows, valued_rows


def search_sections(
    experiment: Experiment, board: Board, failed: Sequence[Failure]
) -> list[tuple[str, str]]:
    """Return titles and HTML of what the search has shown; `failed` is what is known of a run on this machine."""
    return [
        ("Optimisation history", history(experiment, board)),
        ("Parameter importances", shares(experiment, board)),
        ("Parallel coordinates", parallel(experiment, board)),
        ("Trials without a result", without(board, failed)),
    ]


def history(experiment: Experiment, board: Board) -> str:
    """Draw each trial in the order of asking, the best so far, and those without a result at the bottom."""
    good = valued_rows(board)
    bad = failed_rows(board)
    if not good:
        return "<p>No trial has succeeded.</p>"
    values = [row.value for row in good if row.value is not None]  # all of them
    top = (np.minimum if experiment.minimize else np.maximum).accumulate(values).tolist()
    best = [row for row in good if row.name == board.best]
    traces = [
        _points("trial", good, values, {"color": NEAR, "size": 7}),
        go.Scatter(
            x=[row.number for row in good],
            y=top,
            mode="lines",
            line_shape="hv",
            name="best so far",
            line_color=FAR,
        ),
        _points(
            "best", best, [row.value for row in best], {"color": BEST, "size": 14, "symbol": "star"}
        ),
    ]
    if stopped := [row for row in stopped_rows(board) if row.value is not None]:
        marker = {"color": FAR, "size": 7, "symbol": "circle-open"}
        traces.append(_points(STOPPED, stopped, [row.value for row in stopped], marker))
    if bad:
        marker = {"color": BAD, "size": 9, "symbol": "x"}
        traces.append(_points(NO_RESULT, bad, [0.03] * len(bad), marker).update(yaxis="y2"))
    bottom = {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True}
    layout = {
        "xaxis_title": "trial",
        "yaxis_title": f"{experiment.metric} in the search",
        "yaxis2": bottom,
    }
    return figure(go.Figure(traces, layout))


def shares(experiment: Experiment, board: Board) -> str:
    """Draw which parameters mattered, most important first."""
    trials = [(row.assignments, row.value) for row in valued_rows(board) if row.value is not None]
    found = parameter_importances(experiment.parameters, trials, minimize=experiment.minimize)
    if not found:
        return "<p>Too few trials to tell.</p>"
    names = list(found)[::-1]
    values = list(found.values())[::-1]
    bars = go.Bar(
        x=values, y=names, orientation="h", marker_color=NEAR, texttemplate="%{x:.0%}", textangle=0
    )
    layout = {
        "xaxis_title": "share (PED-ANOVA)",
        "xaxis_tickformat": ".0%",
        "yaxis_automargin": True,
    }
    return figure(go.Figure(bars, layout), height=120 + 36 * len(names))


def without(board: Board, failed: Sequence[Failure]) -> str:
    """List why trials have no result: by cause where this machine ran them, else in the words of their conditions."""
    numbers = {row.name: row.number for row in board.rows}
    found = [
        (len(each.trials), f"{each.cause}: {each.evidence}", each.trials[0]) for each in failed
    ] or _conditions(board)
    lines = "".join(
        f"<tr><td>{count}</td><td>{html.escape(seen)}</td><td>{html.escape(name)} ({numbers[name]})</td></tr>"
        for count, seen, name in found
        if name in numbers
    )
    head = "<tr><th>trials</th><th>what was seen</th><th>such as</th></tr>"
    if lines:
        return f"<table>{head}{lines}</table>"
    return ""


def _conditions(board: Board) -> list[tuple[int, str, str]]:
    seen: dict[str, list[str]] = {}
    for row in failed_rows(board):
        if row.state == "Succeeded":
            why = f"no finite {board.metric}"
        else:
            why = row.message
        seen.setdefault(f"{row.state}: {why}", []).append(row.name)
    return [(len(names), why, names[0]) for why, names in seen.items()]


def _points(
    name: str, rows: Sequence[Row], values: Sequence[float | None], marker: dict[str, Any]
) -> go.Scatter:
    texts = [f"{row.name}: {row.state}" if row.value is None else row.name for row in rows]
    numbers = [row.number for row in rows]
    return go.Scatter(
        x=numbers, y=list(values), text=texts, mode="markers", name=name, marker=marker
    )
