"""Print a verdict as Markdown, for a workflow's summary.

    python3 scripts/deploy/summary.py verdict.json [DETAILS.json]

With deploy_details.json it also says what is in production now. Needs nothing but Python.
"""

import json
import sys
from pathlib import Path
from typing import Any

MEANINGS = {
    "promote": "the candidate belongs in production",
    "keep": "the champion stays",
    "hold": "not decided yet",
    "refuse": "the candidate, or the comparison, cannot be trusted",
}


def render_summary(verdict: dict[str, Any], details: dict[str, Any] | None = None) -> str:
    """Return the whole summary."""
    parts = [
        f"## {verdict['verdict']}: {MEANINGS[verdict['verdict']]}",
        _bullet_list(verdict["reasons"]),
    ]
    parts += [_production_table(details)] if details else []
    rows = [
        ("ok" if check["passed"] else f"**{check['otherwise']}**", *_check_cells(check))
        for check in verdict["checks"]
    ]
    parts += [_markdown_table(("", "check", "found"), rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _check_cells(check: dict[str, Any]) -> tuple[str, str]:
    return check["name"], check["detail"]


def _production_table(details: dict[str, Any]) -> str:
    names = (("old_model", "before"), ("new_model", "candidate"), ("prod_model", "in production"))
    rows = [(label, *_model_cells(details[name])) for name, label in names]
    return _markdown_table(("", "version", "score", "package"), rows)


def _model_cells(model: dict[str, Any] | None) -> tuple[str, str, str]:
    if not model:
        return "-", "-", "-"
    score = next(
        (f"{name} {value:.4g}" for name, value in model.items() if isinstance(value, float)), "-"
    )
    return str(model["version"]), score, str(model["uri"])


def _bullet_list(sentences: list[str]) -> str:
    return "\n".join(f"- {_escape_markdown(sentence)}" for sentence in sentences)


def _markdown_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_escape_markdown, cells))} |" for cells in lines)


def _escape_markdown(text: str) -> str:
    """Keep a text from ending its cell, or from becoming a tag."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    documents = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3]]
    print(render_summary(*documents), end="")
