"""The report's part on the search: its history, which parameters mattered, all trials together."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from katib.diagnosis.trial_failures import Failure
from katib.experiment import Experiment
from katib.search.importance import parameter_importances
from registry.metric_names import metric_name
from tunegate.report.figure import BAD, BEST, FAR, NEAR, figure, html_table
from tunegate.report.parallel import NO_RESULT, STOPPED, parallel_coordinates
from tunegate.watch.board import Board, Row, failed_rows, stopped_rows, valued_rows


def search_sections(
    experiment: Experiment, board: Board, failures: Sequence[Failure]
) -> list[tuple[str, str]]:
    """Return titles and HTML of what the search has shown.

    Args:
        experiment: the Experiment.
        board: its trials.
        failures: the causes of failed trials, known of a run on this machine.
    """
    return [
        ("Optimisation history", optimisation_history(experiment, board)),
        ("Parameter importances", importance_chart(experiment, board)),
        ("Parallel coordinates", parallel_coordinates(experiment, board)),
        ("Trials without a result", failed_trials(board, failures)),
    ]


def optimisation_history(experiment: Experiment, board: Board) -> str:
    """Draw the trials in the order of asking, or say that none has succeeded."""
    if not valued_rows(board):
        return "<p>No trial has succeeded.</p>"
    return figure(history_figure(experiment, board))


def history_figure(experiment: Experiment, board: Board) -> go.Figure:
    """Return the trials as asked for, the best so far, and those without a result below."""
    good = valued_rows(board)
    bad = failed_rows(board)
    stopped = [row for row in stopped_rows(board) if row.value is not None]
    values = [row.value for row in good if row.value is not None]  # all of them
    better = np.minimum if experiment.minimize else np.maximum
    best = [row for row in good if row.name == board.best]
    traces = [
        _trial_points("trial", good, {"color": NEAR, "size": 7}),
        go.Scatter(
            x=[row.number for row in good],
            y=better.accumulate(values).tolist(),
            mode="lines",
            line_shape="hv",
            name="best so far",
            line_color=FAR,
        ),
        _trial_points("best", best, {"color": BEST, "size": 14, "symbol": "star"}),
    ]
    if stopped:
        traces.append(
            _trial_points(STOPPED, stopped, {"color": FAR, "size": 7, "symbol": "circle-open"})
        )
    if bad:
        points = _trial_points(NO_RESULT, bad, {"color": BAD, "size": 9, "symbol": "x"})
        traces.append(points.update(y=[0.03] * len(bad), yaxis="y2"))
    layout = {
        "xaxis_title": "trial",
        "yaxis_title": f"{metric_name(experiment.metric)} in the search",
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    }
    return go.Figure(traces, layout)


def importance_chart(experiment: Experiment, board: Board) -> str:
    """Draw which parameters mattered, most important first."""
    trials = [(row.assignments, row.value) for row in valued_rows(board) if row.value is not None]
    found = parameter_importances(experiment.parameters, trials, minimize=experiment.minimize)
    if not found:
        return "<p>Too few trials to tell.</p>"
    bars = go.Bar(
        x=list(found.values())[::-1],
        y=list(found)[::-1],
        orientation="h",
        marker_color=NEAR,
        texttemplate="%{x:.0%}",
        textangle=0,
    )
    layout = {
        "xaxis_title": "share (PED-ANOVA)",
        "xaxis_tickformat": ".0%",
        "yaxis_automargin": True,
    }
    return figure(go.Figure(bars, layout), height=120 + 36 * len(found))


def failed_trials(board: Board, failures: Sequence[Failure]) -> str:
    """List why trials have no result: by cause on this machine, else by their conditions."""
    numbers = {row.name: row.number for row in board.rows}
    found = [(len(f.trials), f"{f.cause}: {f.evidence}", f.trials[0]) for f in failures]
    rows = [
        (str(count), reason, f"{name} ({numbers[name]})")
        for count, reason, name in found or _failed_conditions(board)
        if name in numbers
    ]
    if not rows:
        return ""
    return html_table(("trials", "what was seen", "such as"), rows)


def _failed_conditions(board: Board) -> list[tuple[int, str, str]]:
    """Return how many trials failed, for which reason, and the name of the first."""
    names: dict[str, list[str]] = {}
    for row in failed_rows(board):
        message = row.message
        if row.state == "Succeeded":
            message = f"no finite {board.metric}"
        names.setdefault(f"{row.state}: {message}", []).append(row.name)
    return [(len(trials), reason, trials[0]) for reason, trials in names.items()]


def _trial_points(name: str, rows: Sequence[Row], marker: Mapping[str, object]) -> go.Scatter:
    return go.Scatter(
        x=[row.number for row in rows],
        y=[row.value for row in rows],
        text=[f"{row.name}: {row.state}" if row.value is None else row.name for row in rows],
        mode="markers",
        name=name,
        marker=marker,
    )
