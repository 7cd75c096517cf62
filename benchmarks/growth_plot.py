"""Small multiples on logarithmic axes as one SVG file.

It needs nothing else and is readable on light and dark.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

COLUMNS = 3
WIDTH = 380
HEIGHT = 280
HEAD = 36
LEFT = 52
RIGHT = 16
TOP = 52
BOTTOM = 34  # of a panel's axes
STYLE = """
svg { font: 12px system-ui, sans-serif; }
text, .text { fill: #1f2328; } .soft { fill: #59636e; } .room { fill: #fff; }
.grid { stroke: #d1d9e0; } .line0 { stroke: #b34700; } .line1 { stroke: #0969da; }
.fill0 { fill: #b34700; } .fill1 { fill: #0969da; }
@media (prefers-color-scheme: dark) {
text, .text { fill: #f0f6fc; } .soft { fill: #9198a1; } .room { fill: #0d1117; }
.grid { stroke: #3d444d; } .line0 { stroke: #f0883e; } .line1 { stroke: #58a6ff; }
.fill0 { fill: #f0883e; } .fill1 { fill: #58a6ff; } }
"""


@dataclass(frozen=True)
class Panel:
    """One plot: `lines` has, by label, a positive value for each positive `x`."""

    title: str
    unit: str
    x: Sequence[float]
    lines: dict[str, list[float]]


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> Iterator[float]:
        """Yield 1, 2, 5, 10, ...; but 1, 10, 100, ... where that would be many."""
        steps = (1, 2, 5) if self.high / self.low < 300 else (1,)
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            yield from (
                step * 10**power for step in steps if self.low <= step * 10**power <= self.high
            )


def draw(title: str, panels: Sequence[Panel]) -> str:
    """Return the text of the SVG; panels of one unit share the range of their y axis."""
    width = COLUMNS * WIDTH
    height = HEAD + -(-len(panels) // COLUMNS) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="room" width="{width}" height="{height}"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        alike = [
            y
            for each in panels
            if each.unit == panel.unit
            for line in each.lines.values()
            for y in line
        ]
        x = _Axis(min(panel.x), max(panel.x), LEFT, WIDTH - RIGHT)
        y = _Axis(_below(min(alike)), _above(max(alike)), HEIGHT - BOTTOM, TOP)
        place = f"translate({number % COLUMNS * WIDTH} {HEAD + number // COLUMNS * HEIGHT})"
        parts.append(f'<g transform="{place}">{_head(panel)}{_grid(x, y)}{_lines(panel, x, y)}</g>')
    return "\n".join([*parts, "</svg>\n"])


def _head(panel: Panel) -> str:
    labels = ", ".join(
        f'<tspan class="fill{i}">{escape(label)}</tspan>' for i, label in enumerate(panel.lines)
    )
    title = f'<text x="{LEFT}" y="18" font-weight="600">{escape(panel.title)}</text>'
    return f'{title}<text x="{LEFT}" y="36" class="soft">{escape(panel.unit)}: {labels}</text>'


def _grid(x: _Axis, y: _Axis) -> str:
    across = "".join(
        f'<path class="grid" d="M{x.start} {y.at(tick)}H{x.end}"/>'
        f'<text class="soft" x="{x.start - 6}" y="{y.at(tick) + 4}" text-anchor="end">'
        f"{tick:,g}</text>"
        for tick in y.ticks()
    )
    below = "".join(
        f'<path class="grid" d="M{x.at(tick)} {y.start}v5"/>'
        f'<text class="soft" x="{x.at(tick)}" y="{y.start + 18}" text-anchor="middle">'
        f"{_short(tick)}</text>"
        for tick in x.ticks()
    )
    return f'{across}<path class="grid" d="M{x.start} {y.start}H{x.end}"/>{below}'


def _lines(panel: Panel, x: _Axis, y: _Axis) -> str:
    parts = []
    for i, values in enumerate(panel.lines.values()):
        points = [(x.at(a), y.at(b)) for a, b in zip(panel.x, values, strict=True)]
        path = " ".join(f"{a},{b}" for a, b in points)
        dots = "".join(f'<circle class="fill{i}" cx="{a}" cy="{b}" r="2.5"/>' for a, b in points)
        parts.append(
            f'<polyline class="line{i}" points="{path}" fill="none" stroke-width="2"/>{dots}'
        )
    return "".join(parts)


def _above(value: float) -> float:
    """Return the next tick."""
    return 1 / _below(1 / value)


def _below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value)


def _short(value: float) -> str:
    return (
        f"{value / 1e6:g}M"
        if value >= 1e6
        else f"{value / 1e3:g}k"
        if value >= 1e4
        else f"{value:,g}"
    )
