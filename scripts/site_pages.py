"""Adds pages to the documentation site that lie outside of docs/, and makes links to them work.

See mkdocs.yml.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
EXECUTED = ROOT / "build" / "notebook"
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.md",
    "benchmarks/README.md": "benchmarking.md",
    "examples/flats.ipynb": "notebook.md",
    "examples/titanic/README.md": "titanic.md",
    "examples/titanic/titanic.ipynb": "titanic-notebook.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the server's icon."""
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source == "LICENSE":
            text = f"# License\n\n```text\n{text}```\n"
        if source.endswith(".ipynb"):
            text = _notebook_text(text, files, config)
        files.append(File.generated(config, page, content=_relink(text, source, page)))
    icon = str(ROOT / "api" / "static" / "icon.svg")
    files.append(File.generated(config, "favicon.svg", abs_src_path=icon))
    return files


def _notebook_text(text: str, files: Files, config: MkDocsConfig) -> str:
    """Return a notebook as Markdown: with its outputs if `run_notebook.py` has run it."""
    if (EXECUTED / "notebook.md").exists():
        script = str(EXECUTED / "plotly.min.js")
        files.append(File.generated(config, "plotly.min.js", abs_src_path=script))
        return (EXECUTED / "notebook.md").read_text(encoding="utf-8")
    parts = []
    for cell in json.loads(text)["cells"]:
        content = "".join(cell["source"])
        if cell["cell_type"] == "code":
            content = f"```python\n{content}\n```"
        parts.append(content)
    return "\n\n".join(parts) + "\n"


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:  # noqa: ANN401 - mkdocs' own
    """Let a page of docs/ link to what lies outside of it."""
    uri = page.file.src_uri
    if uri in OUTSIDE.values():
        return markdown
    return _relink(markdown, f"docs/{uri}", uri)


def _relink(text: str, source: str, page: str) -> str:
    """Change links between files of the repository into links between pages.

    A link to a file that is no page becomes its text and the file's path.
    """

    def change(link: "re.Match[str]") -> str:
        image, words, path, anchor = link.groups(default="")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target in OUTSIDE:
            uri = OUTSIDE[target]
        elif target.startswith("docs/"):
            uri = target.removeprefix("docs/")
        else:
            return f"{words} (`{target}`)"
        relative = posixpath.relpath(uri, posixpath.dirname(page) or ".")
        return f"{image}[{words}]({relative}{anchor})"

    return LINK.sub(change, text)
