"""All trials side by side: a line for each across its parameters to the objective.

Drawn with plain lines, not plotly's own parallel coordinates: those have one width for all lines, which hides the best,
need WebGL, and keep their axes black on a black page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.colors import find_intermediate_color, hex_to_rgb

from katib.experiment import Experiment
from katib.space import Parameter
from tunegate.report.figure import BAD, BEST, FAR, NEAR, figure
from tunegate.watch.board import Board, Row, failed_rows, stopped_rows, valued_rows

TICKS = 6
MOST = 500  # trials that are drawn
GROUPS = 8  # colours between worse and better
NO_RESULT = "no result"
STOPPED = "stopped early"
BEYOND = 1.1  # where trials without a result end, the objective's range being 0 to 1
SPREAD = 0.05  # of the height: trials of one category lie beside each other, not on one point
GOLDEN = 0.618  # spreads any number of trials evenly
WIDTH = 100  # pixels that an axis and its texts need


@dataclass(frozen=True, slots=True)
class Axis:
    """One upright line: `low` and `high` are its ends on its own scale, ticks are (place on that scale, text)."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    parameter: Parameter | None = None

    def at(self, place: float) -> float:
        """Return the height of a place, 0 to 1."""
        if self.high <= self.low:
            return 0.5
        return (place - self.low) / (self.high - self.low)

    def height(self, text: str, number: int) -> float:
        """Return where a trial of this number crosses, which has this value of the parameter."""
        assert self.parameter is not None  # noqa: S101 - the objective's axis is not asked
        if self.parameter.choices:
            place = self.parameter.choices.index(text)
            return self.at(place) + SPREAD * (number * GOLDEN % 1 - 0.5)
        return self.at(math.log10(float(text)) if _is_log(self.parameter) else float(text))


def parallel(experiment: Experiment, board: Board) -> str:
    """Draw all trials that have ended; those without a result below or above the worst, the best thick and on top."""
    good = _most(experiment, valued_rows(board))
    bad = failed_rows(board)[-MOST // 4 :]
    axes = [parameter_axis(parameter, board.rows) for parameter in experiment.parameters]
    stopped = stopped_rows(board)[-MOST // 4 :]
    rows = [row for row in (*good, *bad, *stopped) if _fits(row, axes)]
    if not rows:
        return ""
    axes.append(_objective(experiment, good))
    worst_first = sorted(good, key=lambda row: row.value or 0.0, reverse=experiment.minimize)
    bad = [row for row in bad if row in rows]
    stopped = [row for row in stopped if row in rows]
    lines = [
        _lines(NO_RESULT, bad, axes, experiment, BAD, 1.0),
        _lines(STOPPED, stopped, axes, experiment, FAR, 1.0),
    ]
    others = [row for row in worst_first if row in rows and row.name != board.best]
    for group in range(GROUPS):
        members = others[len(others) * group // GROUPS : len(others) * (group + 1) // GROUPS]
        lines.append(_lines("", members, axes, experiment, _between(group / (GROUPS - 1)), 1.3))
    lines.append(
        _lines("best", [row for row in rows if row.name == board.best], axes, experiment, BEST, 4.0)
    )
    drawn = go.Figure(
        [line for line in lines if line is not None], _layout(axes, beyond=bool(bad or stopped))
    )
    return _legend(board, good, bad) + figure(
        drawn, height=480, top=70, least_width=WIDTH * len(axes)
    )


def parameter_axis(parameter: Parameter, rows: Sequence[Row]) -> Axis:
    """Return one parameter's axis: as wide as what was searched, on a log scale where the search was."""
    if parameter.choices:
        ticks = tuple((float(place), text) for place, text in enumerate(parameter.choices))
        return Axis(parameter.name, 0.0, len(parameter.choices) - 1.0, ticks, parameter)
    tried = [
        float(row.assignments[parameter.name]) for row in rows if parameter.name in row.assignments
    ]
    low = min([parameter.low, *tried])
    high = max([parameter.last, *tried])
    if not _is_log(parameter):
        found = even_ticks(low, high, whole=parameter.kind == "int")
        return Axis(
            parameter.name, low, high, tuple((tick, f"{tick:g}") for tick in found), parameter
        )
    places = tuple((math.log10(tick), f"{tick:g}") for tick in log_ticks(low, high))
    return Axis(f"{parameter.name} (log)", math.log10(low), math.log10(high), places, parameter)


def even_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return about `TICKS` round numbers between two; only whole ones on request."""
    if high <= low:
        return [low]
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    step = max(1.0, step) if whole else step
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{step * k:.12g}") for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the ends and round numbers between them, evenly spread on a log scale."""
    if high <= low:
        return [low]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) <= TICKS // 2 else (1,)
    near = (high / low) ** 0.06  # closer to an end, a number's text would lie on that of the end
    inside = [
        f * 10.0**d for d in decades for f in factors if low * near < f * 10.0**d < high / near
    ]
    return [low, *inside[:: max(1, math.ceil(len(inside) / TICKS))], high]


def _objective(experiment: Experiment, good: Sequence[Row]) -> Axis:
    values = [row.value for row in good if row.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    ticks = even_ticks(low, high) if values else []
    return Axis(experiment.metric, low, high, tuple((tick, f"{tick:g}") for tick in ticks))


def _fits(row: Row, axes: Sequence[Axis]) -> bool:
    """Whether a trial has a value on each axis; on a cluster, others of the same name may have come between."""
    values = [
        (axis.parameter, row.assignments.get(axis.parameter.name))
        for axis in axes
        if axis.parameter
    ]
    return all(value is not None and (not p.choices or value in p.choices) for p, value in values)


def _lines(
    name: str,
    rows: Sequence[Row],
    axes: Sequence[Axis],
    experiment: Experiment,
    colour: str,
    width: float,
) -> go.Scatter | None:
    """Put lines of one colour into one trace, with gaps between them."""
    if not rows:
        return None
    bad_end = BEYOND if experiment.minimize else 1 - BEYOND
    x: list[int | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for row in rows:
        *parameters, objective = axes
        if row.value is None:
            ends = bad_end
        else:
            ends = min(max(objective.at(row.value), 1 - BEYOND), BEYOND)
        crossed = [
            a.height(row.assignments[a.parameter.name], row.number)
            for a in parameters
            if a.parameter
        ]
        x += [*range(len(axes)), None]
        y += [*crossed, ends, None]
        texts += [_hover(row, axis, experiment) for axis in axes] + [""]
    mode = "lines+markers" if name == "best" else "lines"
    line = {"color": colour, "width": width, "dash": "dot" if name == STOPPED else "solid"}
    return go.Scatter(
        x=x,
        y=y,
        text=texts,
        mode=mode,
        name=name,
        line=line,
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: Row, axis: Axis, experiment: Experiment) -> str:
    value = f"{row.value:.5g}" if row.value is not None else row.state
    if axis.parameter:
        here = f"<br>{axis.parameter.name} = {row.assignments[axis.parameter.name]}"
    else:
        here = ""
    return f"trial {row.number}, {row.name}<br>{experiment.metric} = {value}{here}"


def _layout(axes: Sequence[Axis], *, beyond: bool) -> go.Layout:
    upright = {
        "type": "line",
        "y0": 0,
        "y1": 1,
        "line": {"color": FAR, "width": 1},
        "layer": "below",
    }
    text = {
        "showarrow": False,
        "xanchor": "right",
        "xshift": -5,
        "borderpad": 1,
        "opacity": 0.85,
        "font_size": 12,
    }
    ticks = [
        {**text, "x": place, "y": axis.at(tick), "text": words}
        for place, axis in enumerate(axes)
        for tick, words in axis.ticks
    ]
    titles = [
        {
            "x": place,
            "y": 1.16,
            "text": f"<b>{axis.title}</b>",
            "showarrow": False,
            "textangle": -20,
            "xanchor": "center",
        }
        for place, axis in enumerate(axes)
    ]
    bare = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "showticklabels": False,
        "fixedrange": True,
    }
    return go.Layout(
        shapes=[{**upright, "x0": place, "x1": place} for place in range(len(axes))],
        annotations=[*ticks, *titles],
        xaxis={**bare, "range": [-0.6, len(axes) - 0.7]},
        yaxis={**bare, "range": [-0.15, 1.22] if beyond else [-0.05, 1.22]},
        showlegend=False,
        hovermode="closest",
    )


def _most(experiment: Experiment, good: list[Row]) -> list[Row]:
    """Return the best trials, as many as a browser draws at once."""
    best_first = sorted(good, key=lambda row: row.value or 0.0, reverse=not experiment.minimize)
    return best_first[:MOST]


def _legend(board: Board, good: Sequence[Row], bad: Sequence[Row]) -> str:
    last = f', <b style="color:{BAD}">{NO_RESULT}</b>' if bad else ""
    last += f", dotted: {STOPPED}" if stopped_rows(board) else ""
    if len(good) < len(valued_rows(board)):
        last += f"; the best {len(good)} of {len(valued_rows(board))}"
    return (
        f'<p class="legend"><b style="color:{BEST}">best</b>, <b style="color:{NEAR}">better</b> to '
        f'<b style="color:{FAR}">worse</b>{last}</p>'
    )


def _between(share: float) -> str:
    """Return a colour between that of the worse (0) and that of the better (1) trials."""
    found = find_intermediate_color(hex_to_rgb(FAR), hex_to_rgb(NEAR), share)
    return f"rgb({', '.join(str(round(part)) for part in found)})"


def _is_log(parameter: Parameter) -> bool:
    return parameter.distribution.startswith("log")
