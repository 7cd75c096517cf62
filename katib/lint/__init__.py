"""Check an Experiment offline, before a cluster or this machine runs it.

Codes: K0xx the text holds no Experiment; K1xx Katib's webhook refuses it; K2xx Katib accepts it and
then hangs, fails for certain, or silently does something else; K3xx Katib runs it, the local engine
cannot. `katib.lint.catalogue` explains each code.

`katib.lint.schema` checks the shapes of all fields first. The modules of `katib.lint.rules` rely on
these shapes, so they are skipped when one is wrong.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from katib.document import Document, FieldPath, parse_documents
from katib.errors import LintFinding
from katib.lint import schema
from katib.lint.finding import Finding
from katib.lint.fix import plan_replacement
from katib.lint.pod.job import check_job_rules
from katib.lint.rules.collector import check_collector
from katib.lint.rules.command import check_command
from katib.lint.rules.early_stopping import check_early_stopping
from katib.lint.rules.experiment import check_experiment, check_outdated, is_outdated
from katib.lint.rules.search_space import check_search_space
from katib.lint.rules.stream import check_stream
from katib.lint.rules.trial_template import check_trial_template
from katib.lint.violation import Violation, similar_word
from katib.yaml_reader import TEMPLATE_HINT, NotYaml

OUTDATED_KIND = "StudyJob"
KIND = "Experiment"
KINDS = re.compile(r"^kind:[ \t]*(\w+)", re.MULTILINE)
F = TypeVar("F", bound=LintFinding)
RULES: tuple[Callable[[Document], Iterator[Violation]], ...] = (
    check_experiment,
    check_early_stopping,
    check_search_space,
    check_collector,
    check_trial_template,
    check_command,
    check_job_rules,
)


def lint_document(document: Document) -> list[Finding]:
    """Return all findings, in the order of their lines."""
    if is_outdated(document):
        return _sorted_findings(document, check_outdated(document))
    violations = [*check_stream(document), *schema.check_schema(document)]
    if all(violation.code != schema.WRONG for violation in violations):
        for check in RULES:
            violations += check(document)
    return _sorted_findings(document, violations)


def _sorted_findings(document: Document, violations: Iterable[Violation]) -> list[Finding]:
    found = [_to_finding(document, violation) for violation in dict.fromkeys(violations)]
    return sorted(found, key=lambda finding: (finding.line, finding.column, finding.code))


def lint_text(text: str, source: str) -> list[Finding]:
    """Lint every Experiment of a text; it is a finding if the text has none, or is not YAML."""
    try:
        documents = parse_documents(text, source=source)
    except NotYaml as error:
        return [_file_finding("K001", source, str(error), error.hint, (error.line, error.column))]
    if not documents:
        hint = "a Katib Experiment has apiVersion: kubeflow.org/v1beta1 and kind: Experiment"
        if "{{" in text:
            hint = TEMPLATE_HINT
        elif OUTDATED_KIND in text:
            hint = f"a {OUTDATED_KIND} is Katib's format before 0.7, of 2019: {hint}"
        elif any(similar_word(kind, [KIND]) for kind in KINDS.findall(text) if kind != KIND):
            hint = f"did you mean kind: {KIND}? {hint}"
        return [_file_finding("K002", source, "no document of kind Experiment", hint)]
    return [finding for document in documents for finding in lint_document(document)]


def unreadable_file(source: str, reason: str) -> Finding:
    """Return the finding for a file that cannot be read."""
    return _file_finding("K001", source, reason, "check the path")


def only_errors(findings: Iterable[F]) -> Iterator[F]:
    """Yield the findings that have to be fixed before a run."""
    return (finding for finding in findings if finding.severity == "error")


def _file_finding(
    code: str, source: str, message: str, fix: str, position: tuple[int, int] = (1, 1)
) -> Finding:
    return Finding(code, "error", source, *position, "document", message, fix)


def _to_finding(document: Document, violation: Violation) -> Finding:
    line, column = document.position(violation.path)
    return Finding(
        code=violation.code,
        severity=violation.severity,
        source=document.source,
        line=line,
        column=column,
        field=_dotted_path(violation.path),
        message=violation.message,
        fix=violation.fix,
        replacement=plan_replacement(document, violation.edit) if violation.edit else None,
    )


def _dotted_path(path: FieldPath) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".") or "document"
