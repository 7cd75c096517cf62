"""All trials side by side: a line for each across its parameters to the objective.

Drawn as plain lines, not as plotly's parallel coordinates. In those every line is one pixel wide,
which hides the best trial; trials of one category lie on one point, and those without a result have
no place; their ticks cannot be read where lines cross them; and they need WebGL.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from katib.experiment import Experiment
from katib.space import Parameter
from tunegate.report.figure import BAD, BEST, FAR, NEAR, figure
from tunegate.report.look import GROUPS
from tunegate.watch.board import Board, Row, failed_rows, stopped_rows, valued_rows

TICKS = 6
MOST_TRIALS = 500  # that a browser draws at once
NO_RESULT = "no result"
STOPPED = "stopped early"
BEYOND = 1.1  # where trials without a result end, the objective's range being 0 to 1
SPREAD = 0.05  # of the height: trials of one category lie next to each other, not on one point
GOLDEN_RATIO = 0.618  # spreads any number of trials evenly
AXIS_WIDTH = 100  # pixels that an axis and its texts need


@dataclass(frozen=True, slots=True)
class Axis:
    """One upright line of a parameter, or of the objective.

    Attributes:
        title: what stands above it.
        low: its lower end, on its own scale.
        high: its upper end.
        ticks: (place on that scale, text).
        parameter: None for the objective.
    """

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    parameter: Parameter | None = None

    def at(self, place: float) -> float:
        """Return the height of a place on the axis's scale, 0 to 1."""
        if self.high <= self.low:
            return 0.5
        return (place - self.low) / (self.high - self.low)

    def height(self, text: str, number: int) -> float:
        """Return the height at which a trial of this number and value crosses."""
        assert self.parameter is not None  # noqa: S101 - the objective's axis has no such value
        if self.parameter.choices:
            spread = SPREAD * (number * GOLDEN_RATIO % 1 - 0.5)
            return self.at(self.parameter.choices.index(text)) + spread
        if _is_log(self.parameter):
            return self.at(math.log10(float(text)))
        return self.at(float(text))


@dataclass(frozen=True, slots=True)
class LineStyle:
    """How the lines of one group of trials are drawn; the width is in pixels."""

    name: str
    colour: str
    width: float = 1.0
    dash: str = "solid"
    mode: str = "lines"


def parallel_coordinates(experiment: Experiment, board: Board) -> str:
    """Draw all trials that have ended, the best thick and on top.

    Trials without a result end beyond the worst value.
    """
    axes = [parameter_axis(parameter, board.rows) for parameter in experiment.parameters]
    good = _best_rows(experiment, valued_rows(board))
    bad = _drawable(failed_rows(board)[-MOST_TRIALS // 4 :], axes)
    stopped = _drawable(stopped_rows(board)[-MOST_TRIALS // 4 :], axes)
    ranked = _drawable(good, axes)
    if not (ranked or bad or stopped):
        return ""
    axes.append(_objective_axis(experiment, good))
    groups = [
        (LineStyle(NO_RESULT, BAD), bad),
        (LineStyle(STOPPED, FAR, dash="dot"), stopped),
        *_rank_groups([row for row in ranked if row.name != board.best]),
        (
            LineStyle("best", BEST, 4.0, mode="lines+markers"),
            [r for r in ranked if r.name == board.best],
        ),
    ]
    traces = [_trace(style, rows, axes, experiment) for style, rows in groups if rows]
    drawn = go.Figure(traces, _layout(axes, beyond=bool(bad or stopped)))
    least_width = AXIS_WIDTH * len(axes)
    return _legend(board, good, bad) + figure(drawn, height=480, top=70, least_width=least_width)


def parameter_axis(parameter: Parameter, rows: Sequence[Row]) -> Axis:
    """Return a parameter's axis: as wide as what was searched, on a log scale if the search was."""
    name = parameter.name
    if parameter.choices:
        choices = tuple((float(place), text) for place, text in enumerate(parameter.choices))
        return Axis(name, 0.0, len(choices) - 1.0, choices, parameter)
    tried = [float(row.assignments[name]) for row in rows if name in row.assignments]
    low = min([parameter.low, *tried])
    high = max([parameter.last, *tried])
    if _is_log(parameter):
        ticks = tuple((math.log10(tick), f"{tick:g}") for tick in log_ticks(low, high))
        return Axis(f"{name} (log)", math.log10(low), math.log10(high), ticks, parameter)
    ticks = _labelled(even_ticks(low, high, whole=parameter.kind == "int"))
    return Axis(name, low, high, ticks, parameter)


def even_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return about `TICKS` round numbers between two; only whole ones on request."""
    if high <= low:
        return [low]
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    if whole:
        step = max(1.0, step)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{step * k:.12g}") for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the ends and round numbers between them, evenly spread on a log scale."""
    if high <= low:
        return [low]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(decades) <= TICKS // 2 else (1,)
    near = (high / low) ** 0.06  # closer to an end, a number's text would overlap that of the end
    round_numbers = [factor * 10.0**decade for decade in decades for factor in factors]
    inside = [number for number in round_numbers if low * near < number < high / near]
    return [low, *inside[:: max(1, math.ceil(len(inside) / TICKS))], high]


def _objective_axis(experiment: Experiment, good: Sequence[Row]) -> Axis:
    values = [row.value for row in good if row.value is not None]
    if not values:
        return Axis(experiment.metric, 0.0, 0.0, ())
    low = min(values)
    high = max(values)
    return Axis(experiment.metric, low, high, _labelled(even_ticks(low, high)))


def _labelled(ticks: Sequence[float]) -> tuple[tuple[float, str], ...]:
    return tuple((tick, f"{tick:g}") for tick in ticks)


def _best_rows(experiment: Experiment, good: list[Row]) -> list[Row]:
    """Return the best trials, as many as are drawn; the best last."""
    worst_first = sorted(good, key=lambda row: row.value or 0.0, reverse=experiment.minimize)
    return worst_first[-MOST_TRIALS:]


def _drawable(rows: Sequence[Row], axes: Sequence[Axis]) -> list[Row]:
    """Return the trials with a value on each axis: on a cluster, others may have come between."""
    return [row for row in rows if all(_crosses(row, axis.parameter) for axis in axes)]


def _crosses(row: Row, parameter: Parameter | None) -> bool:
    if parameter is None:
        return True
    value = row.assignments.get(parameter.name)
    return value is not None and (not parameter.choices or value in parameter.choices)


def _rank_groups(worst_first: Sequence[Row]) -> Iterator[tuple[LineStyle, Sequence[Row]]]:
    """Yield groups of trials of about equal rank, from grey to the accent."""
    count = len(worst_first)
    for group in range(GROUPS):
        colour = f"var(--mix-{group})"
        members = worst_first[count * group // GROUPS : count * (group + 1) // GROUPS]
        yield LineStyle("", colour, 1.3), members


def _trace(
    style: LineStyle, rows: Sequence[Row], axes: Sequence[Axis], experiment: Experiment
) -> go.Scatter:
    """Put the lines of one style into one trace, with gaps between them."""
    x: list[int | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for row in rows:
        x += [*range(len(axes)), None]
        y += [*(_crossing(row, axis, experiment) for axis in axes), None]
        texts += [*(_hover_text(row, axis, experiment) for axis in axes), ""]
    return go.Scatter(
        x=x,
        y=y,
        text=texts,
        mode=style.mode,
        name=style.name,
        line={"color": style.colour, "width": style.width, "dash": style.dash},
        hovertemplate="%{text}<extra></extra>",
    )


def _crossing(row: Row, axis: Axis, experiment: Experiment) -> float:
    """Return the height at which a trial's line crosses an axis."""
    if axis.parameter:
        return axis.height(row.assignments[axis.parameter.name], row.number)
    if row.value is not None:
        return min(max(axis.at(row.value), 1 - BEYOND), BEYOND)
    return BEYOND if experiment.minimize else 1 - BEYOND


def _hover_text(row: Row, axis: Axis, experiment: Experiment) -> str:
    value = row.state if row.value is None else f"{row.value:.5g}"
    text = f"trial {row.number}, {row.name}<br>{experiment.metric} = {value}"
    if axis.parameter:
        name = axis.parameter.name
        text += f"<br>{name} = {row.assignments[name]}"
    return text


def _layout(axes: Sequence[Axis], *, beyond: bool) -> go.Layout:
    upright = {"type": "line", "y0": 0, "y1": 1, "line": {"color": FAR, "width": 1}}
    tick_text = {
        "showarrow": False,
        "xanchor": "right",
        "xshift": -5,
        "borderpad": 1,
        "opacity": 0.85,
        "font_size": 12,
    }
    title_text = {"showarrow": False, "xanchor": "center", "textangle": -20, "y": 1.16}
    bare = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "showticklabels": False,
        "fixedrange": True,
    }
    lines = []
    texts = []
    for place, axis in enumerate(axes):
        lines.append({**upright, "layer": "below", "x0": place, "x1": place})
        texts.append({**title_text, "x": place, "text": f"<b>{axis.title}</b>"})
        for tick, text in axis.ticks:
            texts.append({**tick_text, "x": place, "y": axis.at(tick), "text": text})
    return go.Layout(
        shapes=lines,
        annotations=texts,
        xaxis={**bare, "range": [-0.6, len(axes) - 0.7]},
        yaxis={**bare, "range": [-0.15 if beyond else -0.05, 1.22]},
        showlegend=False,
        hovermode="closest",
    )


def _legend(board: Board, good: Sequence[Row], bad: Sequence[Row]) -> str:
    parts = [
        f'<b style="color:{BEST}">best</b>',
        f'<b style="color:{NEAR}">better</b> to <b style="color:{FAR}">worse</b>',
    ]
    if bad:
        parts.append(f'<b style="color:{BAD}">{NO_RESULT}</b>')
    if stopped_rows(board):
        parts.append(f"dotted: {STOPPED}")
    text = ", ".join(parts)
    total = len(valued_rows(board))
    if len(good) < total:
        text += f"; the best {len(good)} of {total}"
    return f'<p class="legend">{text}</p>'


def _is_log(parameter: Parameter) -> bool:
    return parameter.distribution.startswith("log")
