"""How studies, models and verdicts show themselves in a notebook: short, without a script."""

from collections.abc import Iterable, Sequence
from html import escape

from promote.verdict import Verdict, verdict_html
from registry.metric_names import readable_number, usual_scores
from registry.package import Manifest
from tunegate.watch.board import Board, Row, failed_rows

SHOWN = 5  # trials
IMPORTANCES = 5


def study_html(board: Board, verdict: Verdict | None) -> str:
    """Return a study: its state, its best trials, and the verdict about it if there is one."""
    ended = sum(row.ended is not None for row in board.rows)
    total = "" if board.total is None else f" of {board.total}"
    failed = len(failed_rows(board))
    failures = f", {failed} without a result" if failed else ""
    head = (
        f"<b>{escape(board.name)}</b>: {escape(board.state)}, "
        f"{ended}{total} trials{failures} <small>{escape(board.where)}</small>"
    )
    best = _best_rows(board)
    names = sorted({name for row in best for name in row.assignments})
    lines = [
        (row.name, _short(row.value), *(_short(row.assignments.get(name)) for name in names))
        for row in best
    ]
    table = html_rows(("trial", board.metric, *names), lines) if lines else ""
    judged = verdict_html(verdict) if verdict else ""
    return f"<div><p>{head}</p>{table}{judged}</div>"


def model_html(manifest: Manifest, digest: str) -> str:
    """Return a model: what it predicts, how well, and which columns matter most."""
    found = manifest.cross_validation
    facts = [
        ("package", digest[:12]),
        ("predicts", f"{manifest.target}, a {manifest.task}"),
        (f"{found.metric} in cross-validation", _short(found.score)),
        *((each.name, _short(each.value)) for each in usual_scores(manifest)),
        ("training rows", str(manifest.training_rows)),
        ("columns", str(len(manifest.columns))),
    ]
    important = [each.column for each in manifest.importances[:IMPORTANCES]]
    if important:
        facts.append(("most important", ", ".join(important)))
    return f"<div><p><b>{escape(manifest.name)}</b></p>{html_rows((), facts)}</div>"


def html_rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; all texts are escaped."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{lines}</table>"


def _best_rows(board: Board) -> list[Row]:
    """Return the best trial, then the others with a value, in the order of asking."""
    valued = [row for row in board.rows if row.value is not None]
    first = [row for row in valued if row.name == board.best]
    return [*first, *(row for row in valued if row.name != board.best)][:SHOWN]


def _short(value: float | str | None) -> str:
    if value is None:
        return ""
    try:
        return readable_number(float(value))
    except ValueError:
        return str(value)
