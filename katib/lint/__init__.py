"""Check an Experiment offline: what Katib's webhook refuses, what it accepts and then hangs on, what only runs there.

Codes: K0xx it is no Experiment; K1xx the webhook refuses it; K2xx Katib accepts it and then hangs, fails for certain,
or silently does something else; K3xx Katib runs it, the local engine cannot. What each code means stands in
`katib.lint.catalogue`. The rules live in the modules `katib.lint.rules`; they rely on `katib.lint.schema`, and are not asked about
a document of a wrong shape.
"""

from collections.abc import Iterator, Sequence

from katib.document import Document, FieldPath, NotYaml, parse_documents
from katib.lint import schema
from katib.lint.finding import Finding
from katib.lint.fix import replacement
from katib.lint.problem import Problem
from katib.lint.rules import (
    collector,
    command,
    early_stopping,
    experiment,
    search_space,
    stream,
    trial_template,
)

RULES = (experiment, early_stopping, search_space, collector, trial_template, command)


def lint(document: Document) -> list[Finding]:
    """Return all findings, in the order of their lines."""
    raw = [*stream.check(document), *schema.check(document)]
    if all(problem.code != schema.WRONG for problem in raw):
        raw += [problem for module in RULES for problem in module.check(document)]
    found = [_locate(document, problem) for problem in dict.fromkeys(raw)]
    return sorted(found, key=lambda f: (f.line, f.column, f.code))


def lint_text(text: str, source: str) -> list[Finding]:
    """Lint every Experiment of a text; that it is not YAML, or holds no Experiment, is a finding too."""
    try:
        documents = parse_documents(text, source=source)
    except NotYaml as error:
        return [
            Finding(
                "K001",
                "error",
                source,
                error.line,
                error.column,
                "document",
                f"{error}",
                error.hint,
            )
        ]
    if not documents:
        return [no_experiment(source)]
    return [finding for document in documents for finding in lint(document)]


def no_experiment(source: str) -> Finding:
    """Say that there is nothing to lint."""
    fix = "a Katib Experiment has `kind: Experiment`"
    return Finding("K002", "error", source, 1, 1, "document", "no document of kind Experiment", fix)


def unreadable(source: str, reason: str) -> Finding:
    """Say that a file cannot be read."""
    return Finding("K001", "error", source, 1, 1, "document", reason, "check the path")


def errors(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield those that must be mended before a run."""
    return (finding for finding in findings if finding.severity == "error")


def _locate(document: Document, problem: Problem) -> Finding:
    line, column = document.position(problem.path)
    change = replacement(document, problem.edit) if problem.edit else None
    field = _dotted(problem.path)
    return Finding(
        problem.code,
        problem.severity,
        document.source,
        line,
        column,
        field,
        problem.message,
        problem.fix,
        change,
    )


def _dotted(path: FieldPath) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "document"
