"""Figures and tables in the report's page; the page holds plotly, which draws the figures.

Plotly's Python package has one bundle alone, the whole of it: 4.8 MB, packed 2 MB. Its smaller
bundles would be a download at the time of the report, or a second copy to keep current.
"""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from registry.metric_names import readable_number

# Names of colours in `api/static/look.css`; the script puts in those of the reader's scheme.
NEAR = "var(--mark)"
FAR = "var(--mark-far)"
BEST = "var(--mark-best)"
BAD = "var(--mark-bad)"
INK = "var(--ink)"
LINE = "var(--rule)"
PAPER = "var(--paper)"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'

# Plotly is packed, which makes the file less than half as long, and is unpacked before the first
# figure is drawn. It reads no CSS variables, so a canvas says which colour each stands for.
SCRIPT = """
const packed = document.getElementById("plotly").textContent.trim();
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const probe = document.body.appendChild(document.createElement("span"));
const colour = (name) => {
  probe.style.color = name;
  canvas.fillStyle = getComputedStyle(probe).color;
  canvas.fillRect(0, 0, 1, 1);
  return `rgb(${canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).join(", ")})`;
};
const coloured = (value) => {
  if (typeof value === "string") return value.startsWith("var(--") ? colour(value) : value;
  if (Array.isArray(value)) return value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, coloured(each)]));
};
const paint = (plot) => {
  const { data, layout } = coloured(JSON.parse(plot.nextElementSibling.textContent));
  return Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
};
const paintAll = async () => {
  for (const plot of document.querySelectorAll(".figure")) await paint(plot);
};
const draw = async () => {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  await paintAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintAll);
  new MutationObserver(paintAll).observe(document.documentElement, { attributes: true });
  document.body.dataset.drawn = "yes";
};
draw().catch((error) => {
  for (const plot of document.querySelectorAll(".figure")) plot.textContent = `not drawn: ${error}`;
});
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell: its text, and what a reader sees who points at it."""

    text: str
    title: str = ""


TableRow = Sequence[str | Cell]


def figure(drawn: go.Figure, *, height: int = 420, top: int = 30, least_width: int = 0) -> str:
    """Return a figure's place in the page, with its data.

    Args:
        drawn: the figure.
        height: in pixels.
        top: its upper margin in pixels.
        least_width: pixels below which the reader scrolls sideways.
    """
    drawn.update_layout(
        height=height,
        margin={"l": 60, "r": 30, "t": top, "b": 50},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        template="none",
        font={"family": FONT, "size": 13, "color": INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    drawn.update_xaxes(gridcolor=LINE, zerolinecolor=LINE, linecolor=LINE)
    drawn.update_yaxes(gridcolor=LINE, zerolinecolor=LINE, linecolor=LINE)
    drawn.update_annotations(bgcolor=PAPER)
    content = json.dumps(json.loads(drawn.to_json()), separators=(",", ":")).replace("<", "\\u003c")
    style = f"min-width:{least_width}px;height:{height}px"
    return (
        f'<div class="plot"><div class="figure" style="{style}"></div>'
        f'<script type="application/json">{content}</script></div>'
    )


def html_table(heads: Sequence[str], rows: Sequence[TableRow], *, look: str = "") -> str:
    """Return a table that scrolls in a box of its own; all texts are escaped.

    Args:
        heads: of the columns.
        rows: of the table.
        look: a CSS class.
    """
    lines = [_table_row("th", heads), *(_table_row("td", cells) for cells in rows)]
    return f'<div class="box"><table class="{look}">{"".join(lines)}</table></div>'


def rounded_cell(value: float) -> Cell:
    """Return a number in four significant digits; the exact one is the title if it differs."""
    text = readable_number(value)
    exact = repr(value)
    if float(text.replace(",", "")) == value:
        return Cell(text)
    return Cell(text, exact)


def _table_row(tag: str, cells: TableRow) -> str:
    return f"<tr>{''.join(_table_cell(tag, cell) for cell in cells)}</tr>"


def _table_cell(tag: str, cell: str | Cell) -> str:
    if isinstance(cell, str):
        return f"<{tag}>{html.escape(cell)}</{tag}>"
    title = f' title="{html.escape(cell.title)}"' if cell.title else ""
    return f"<{tag}{title}>{html.escape(cell.text)}</{tag}>"


def plotly_script() -> str:
    """Return plotly, packed, and the script that draws all figures of the page."""
    packed = base64.b64encode(gzip.compress(get_plotlyjs().encode(), 6, mtime=0)).decode()
    return f'<script type="text/plain" id="plotly">{packed}</script><script>{SCRIPT}</script>'
