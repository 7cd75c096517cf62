"""Check an Experiment offline: what Katib's webhook refuses, what it accepts and then hangs on, what only runs there.

Codes: K1xx the webhook refuses it; K2xx Katib accepts it and then hangs, fails for certain, or silently does something
else; K3xx Katib runs it, the local engine cannot. The rules live in `katib.rules_spec` and `katib.rules_template`; they
rely on `katib.shape`, and are not asked about a document of a wrong shape.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from katib import rules_spec, rules_template, shape
from katib.document import Document, FieldPath
from katib.finding import Finding


def lint(document: Document) -> list[Finding]:
    """Return all findings, in the order of their lines."""
    raw = list(shape.check(document))
    if all(code != shape.WRONG for code, *_ in raw):
        raw += [*rules_spec.check(document), *rules_template.check(document)]
    found = [_locate(document, *item) for item in dict.fromkeys(raw)]
    return sorted(found, key=lambda f: (f.line, f.column, f.code))


def errors(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield those that must be mended before a run."""
    return (finding for finding in findings if finding.severity == "error")


def _locate(document: Document, code: str, path: FieldPath, message: str, fix: str, severity: Any) -> Finding:  # noqa: ANN401
    line, column = document.position(path)
    return Finding(code, severity, document.source, line, column, _dotted(path), message, fix)


def _dotted(path: FieldPath) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "document"
