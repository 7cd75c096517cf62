"""Figures and tables in the report's page; the page holds plotly, which draws the figures."""

import base64
import gzip
import html
import json
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

# Colours that can be distinguished from each other, and from the page, on white and on black.
NEAR = "#1f6feb"
FAR = "#8b949e"
BEST = "#d97706"
BAD = "#cf222e"
FONT = "system-ui, sans-serif"

# Plotly is packed, which makes the file less than half as long, and is unpacked before the first
# figure is drawn. Text and lines take the page's colours, of the reader's light or dark scheme.
SCRIPT = """
const packed = document.getElementById("plotly").textContent.trim();
const paint = (plot) => {
  const body = getComputedStyle(document.body);
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line");
  const changes = { "font.color": body.color };
  for (const axis of ["xaxis", "yaxis"])
    for (const part of ["gridcolor", "zerolinecolor", "linecolor"])
      changes[`${axis}.${part}`] = line;
  (plot.layout.annotations || []).forEach((_, place) => {
    changes[`annotations[${place}].bgcolor`] = body.backgroundColor;
  });
  Plotly.relayout(plot, changes);
};
const draw = async () => {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  for (const plot of document.querySelectorAll(".figure")) {
    const { data, layout } = JSON.parse(plot.nextElementSibling.textContent);
    await Plotly.newPlot(plot, data, layout, { displayModeBar: false, responsive: true });
    paint(plot);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.querySelectorAll(".figure").forEach(paint));
  document.body.dataset.drawn = "yes";
};
draw().catch((error) => {
  for (const plot of document.querySelectorAll(".figure")) plot.textContent = `not drawn: ${error}`;
});
"""


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
        font={"family": FONT, "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    content = json.dumps(json.loads(drawn.to_json()), separators=(",", ":")).replace("<", "\\u003c")
    style = f"min-width:{least_width}px;height:{height}px"
    return (
        f'<div class="plot"><div class="figure" style="{style}"></div>'
        f'<script type="application/json">{content}</script></div>'
    )


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; all texts are escaped."""
    lines = [_table_row("th", heads), *(_table_row("td", cells) for cells in rows)]
    return f"<table>{''.join(lines)}</table>"


def _table_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def plotly_script() -> str:
    """Return plotly, packed, and the script that draws all figures of the page."""
    packed = base64.b64encode(gzip.compress(get_plotlyjs().encode(), 6, mtime=0)).decode()
    return f'<script type="text/plain" id="plotly">{packed}</script><script>{SCRIPT}</script>'
