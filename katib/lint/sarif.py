"""Findings as SARIF 2.1.0, the format that GitHub and editors read.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0. Columns count characters, from 1.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from katib.lint.catalogue import Rule, all_rules
from katib.lint.finding import Finding, Replacement

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PAGE = "docs/lint.md"
SarifObject = dict[str, Any]


def sarif_log(findings: Sequence[Finding], texts: Mapping[str, str], version: str) -> SarifObject:
    """Return the whole log.

    Args:
        findings: what was found, in any number of files.
        texts: source -> the text that was linted, for the regions that fixes replace.
        version: this program's version.
    """
    rules = all_rules()
    driver = {
        "name": "tunegate",
        "version": version,
        "rules": [_rule_entry(rule) for rule in rules.values()],
    }
    order = {code: index for index, code in enumerate(rules)}
    results = [
        _result_entry(finding, order[finding.code], texts.get(finding.source, ""))
        for finding in findings
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule_entry(rule: Rule) -> SarifObject:
    return {
        "id": rule.code,
        "shortDescription": {"text": f"{rule.what[0].upper()}{rule.what[1:]}."},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\nFails:\n{rule.failing}\n\nPasses:\n{rule.passing}"},
        "helpUri": f"{PAGE}#{rule.code.lower()}",
        "defaultConfiguration": {"level": rule.severity},
    }


def _result_entry(finding: Finding, rule_index: int, text: str) -> SarifObject:
    artifact = {"uri": quote(finding.source.replace("\\", "/"))}
    location = {
        "physicalLocation": {
            "artifactLocation": artifact,
            "region": {"startLine": finding.line, "startColumn": finding.column},
        },
        "logicalLocations": [{"fullyQualifiedName": finding.field}],
    }
    result = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.severity,
        "message": {"text": finding.description},
        "locations": [location],
    }
    if finding.replacement:
        replacements = [_replacement_entry(finding.replacement, text)]
        change = {"artifactLocation": artifact, "replacements": replacements}
        result["fixes"] = [{"description": {"text": finding.fix}, "artifactChanges": [change]}]
    return result


def _replacement_entry(replacement: Replacement, text: str) -> SarifObject:
    first_line, first_column = _line_and_column(text, replacement.start)
    last_line, last_column = _line_and_column(text, replacement.end)
    region = {
        "startLine": first_line,
        "startColumn": first_column,
        "endLine": last_line,
        "endColumn": last_column,
    }
    return {"deletedRegion": region, "insertedContent": {"text": replacement.text}}


def _line_and_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
