"""Runs the example notebook and writes it as Markdown with its outputs: `build/notebook/`.

scripts/docs calls it with the project's own environment; the site's hook, `site_pages.py`, shows
what it wrote. The notebook itself stays without outputs.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient
from plotly.io import from_json, to_html
from plotly.offline import get_plotlyjs

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples" / "flats.ipynb"
TARGET = ROOT / "build" / "notebook"
PLOTLY = "application/vnd.plotly.v1+json"
SECONDS = 900  # for a cell
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
Output = Mapping[str, Any]


def main() -> None:
    """Run the notebook in a folder of its own, with its table."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with TemporaryDirectory() as folder:
        shutil.copy(NOTEBOOK.parent / "flats.csv", folder)
        place = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=place).execute()
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    text = "\n\n".join(part for cell in notebook.cells for part in _cell_parts(cell))
    (TARGET / "notebook.md").write_text(f"{text}\n", encoding="utf-8")
    print(f"written: {TARGET / 'notebook.md'}", file=sys.stderr)


def _cell_parts(cell: Mapping[str, Any]) -> Iterator[str]:
    if cell["cell_type"] != "code":
        yield cell["source"]
        return
    yield f"```python\n{cell['source']}\n```"
    for output in cell["outputs"]:
        yield _without_blank_lines(f'<div class="output">{_output_html(output)}</div>')


def _output_html(output: Output) -> str:
    if output["output_type"] == "stream":
        return _preformatted(output["text"])
    data = output["data"]
    if PLOTLY in data:
        figure = from_json(json.dumps(data[PLOTLY]), skip_invalid=True)
        script = '<script src="plotly.min.js"></script>'
        return script + to_html(figure, full_html=False, include_plotlyjs=False)
    if "text/html" in data:
        return str(data["text/html"])
    return _preformatted(data["text/plain"])


def _preformatted(text: str) -> str:
    return f"<pre>{escape(TERMINAL_CODES.sub('', text))}</pre>"


def _without_blank_lines(html: str) -> str:
    """Return HTML that Markdown takes as one block."""
    return re.sub(r"\n\s*\n+", "\n", html)


if __name__ == "__main__":
    main()
