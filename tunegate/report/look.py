"""The report's looks: those of the server's pages, and what only the report has."""

import html
from importlib.util import find_spec
from pathlib import Path

from tunegate.report.figure import plotly_script

GROUPS = 8  # colours between worse and better trials
STYLE = """
body { max-width: 64rem; }
h2 { margin: 2.5rem 0 0.75rem; padding-top: 1.25rem; border-top: 1px solid var(--rule); }
.box { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; min-width: 100%; }
td, th { text-align: left; padding: 0.35rem 1rem 0.35rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; font-weight: 400; }
th { color: var(--soft); font-size: 0.8125rem; }
td:last-child { overflow-wrap: anywhere; min-width: 6rem; }
td:first-child { min-width: 5.75rem; max-width: 24rem; overflow-wrap: anywhere; }
.numbers td:not(:first-child), .numbers th:not(:first-child) { text-align: right; min-width: 5rem; }
td[title] { text-decoration: underline dotted var(--soft); text-underline-offset: 0.25em; }
.verdict { font-size: 1.125rem; padding: 0.7rem 1rem; border-left: 0.3rem solid var(--rail);
  background: var(--sheet); overflow-wrap: anywhere; margin-bottom: 0.75rem; }
.promote { border-color: var(--accent); }
.keep, .hold { border-color: var(--warn); }
.refuse { border-color: var(--bad); }
.plot { border: 1px solid var(--rule); border-radius: 8px; background: var(--paper);
  overflow-x: auto; overflow-y: hidden; }
.legend { margin: 0 0 0.5rem; }
p { overflow-wrap: anywhere; }
p + p { margin-top: 0.35rem; }
"""


def whole_page(title: str, identity: str, body: str) -> str:
    """Return the report's HTML.

    Args:
        title: text.
        identity: text below the title, such as the data set and the date.
        body: HTML.
    """
    title = html.escape(title)
    static = _static_folder()
    style = (static / "look.css").read_text(encoding="utf-8") + STYLE + _mixed_colours()
    theme = (static / "theme.js").read_text(encoding="utf-8")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style><script>{theme}</script></head>"
        f'<body><header class="top"><div class="title"><h1>{title}</h1>'
        f'<p class="muted">{html.escape(identity)}</p></div><div class="tools">'
        f'<button id="theme" type="button" class="quiet">Dark</button></div></header>'
        f"<main>{body}</main>{plotly_script()}</body></html>\n"
    )


def _static_folder() -> Path:
    """Return where the pages' files are, without importing the server."""
    spec = find_spec("api")
    assert spec is not None  # noqa: S101 - a room of this project
    assert spec.origin is not None  # noqa: S101 - as above
    return Path(spec.origin).parent / "static"


def _mixed_colours() -> str:
    """Return the colours of trials between worse, 0, and better."""
    shares = [round(100 * group / (GROUPS - 1)) for group in range(GROUPS)]
    lines = [
        f"--mix-{group}: color-mix(in srgb, var(--mark) {share}%, var(--mark-far));"
        for group, share in enumerate(shares)
    ]
    return f":root {{ {' '.join(lines)} }}\n"
