"""Findings as SARIF 2.1.0, the format in which GitHub and editors take them.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0. Columns count characters, from 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from katib.lint.catalogue import Rule, rules
from katib.lint.finding import Finding, Replacement

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PAGE = "docs/lint.md"


def sarif(findings: Sequence[Finding], texts: Mapping[str, str], version: str) -> dict[str, Any]:
    """Return the whole log.

    Args:
        findings: what was found, in any number of files.
        texts: source -> the text that was linted, for the regions that fixes replace.
        version: this program's version.
    """
    driver = {
        "name": "tunegate",
        "version": version,
        "rules": [_rule(rule) for rule in rules().values()],
    }
    order = {code: index for index, code in enumerate(rules())}
    results = [
        _result(finding, order[finding.code], texts.get(finding.source, "")) for finding in findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "shortDescription": {"text": f"{rule.what[0].upper()}{rule.what[1:]}."},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nFails:\n{rule.failing}\n\nPasses:\n{rule.passing}"},
        "helpUri": f"{PAGE}#{rule.code.lower()}",
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(finding: Finding, index: int, text: str) -> dict[str, Any]:
    place = {
        "physicalLocation": {
            "artifactLocation": _file(finding.source),
            "region": {"startLine": finding.line, "startColumn": finding.column},
        },
        "logicalLocations": [{"fullyQualifiedName": finding.field}],
    }
    fix = f" ({finding.fix})" if finding.fix else ""
    result = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": f"{finding.field}: {finding.message}{fix}"},
        "locations": [place],
    }
    if finding.replacement:
        change = {
            "artifactLocation": _file(finding.source),
            "replacements": [_replaced(finding.replacement, text)],
        }
        result["fixes"] = [{"description": {"text": finding.fix}, "artifactChanges": [change]}]
    return result


def _replaced(change: Replacement, text: str) -> dict[str, Any]:
    line, column = _place(text, change.start)
    last, end = _place(text, change.end)
    region = {"startLine": line, "startColumn": column, "endLine": last, "endColumn": end}
    return {"deletedRegion": region, "insertedContent": {"text": change.text}}


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _file(source: str) -> dict[str, str]:
    return {"uri": quote(source.replace("\\", "/"))}
