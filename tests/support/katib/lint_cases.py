"""Edits of the shipped Experiment, and what lint says to them."""

import copy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from katib.document import Document
from katib.lint import lint_document
from katib.lint.finding import Finding

SHIPPED = Path(__file__).parents[3] / "manifests" / "experiment.yaml"
GONE = object()
Edits = dict[str, Any]


class Case(NamedTuple):
    """One rule: edits that break it, the field it then names, and similar edits that pass it."""

    code: str
    breaking: Edits
    field: str
    passing: Edits

    def __str__(self) -> str:
        return f"{self.code}-{self.field}"


def edited(edits: Edits) -> dict[str, Any]:
    """Return the shipped Experiment with values replaced at dotted paths; `GONE` removes one."""
    document = copy.deepcopy(_shipped())
    for path, value in edits.items():
        *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        target: Any = document
        for step in parents:
            target = target[step] if isinstance(target, list) else target.setdefault(step, {})
        if value is GONE:
            del target[last]
        elif isinstance(target, list) and last == len(target):
            target.append(copy.deepcopy(value))
        else:
            target[last] = copy.deepcopy(value)
    return document


@cache
def _shipped() -> dict[str, Any]:
    return dict(yaml.safe_load(SHIPPED.read_text(encoding="utf-8")))


def findings(document: dict[str, Any]) -> list[Finding]:
    """Lint a document that was never text, so that it has no lines."""
    return lint_document(Document("edited.yaml", document))


def codes(document: dict[str, Any], severity: str = "") -> set[str]:
    """Return the codes of a document's findings, of one severity or of both."""
    return {finding.code for finding in findings(document) if severity in {"", finding.severity}}
