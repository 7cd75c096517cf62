"""The SARIF log: the public schema's essentials, and regions that fixes can be made from."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator
from support.katib.lint_cases import SHIPPED

from katib.lint import lint_text
from katib.lint.catalogue import all_rules
from katib.lint.fix import apply_fixes
from katib.lint.sarif import sarif_log

MESSAGE = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
PLACE = {"type": "integer", "minimum": 1}
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn"],
    "properties": {"startLine": PLACE, "startColumn": PLACE, "endLine": PLACE, "endColumn": PLACE},
    "additionalProperties": False,
}
FILE = {
    "type": "object",
    "required": ["uri"],
    "properties": {"uri": {"type": "string", "pattern": "^[^ ]+$"}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
REPLACEMENT = {
    "type": "object",
    "required": ["deletedRegion"],
    "properties": {
        "deletedRegion": REGION,
        "insertedContent": MESSAGE | {"properties": {"text": {"type": "string"}}},
    },
    "additionalProperties": False,
}
FIX = {
    "type": "object",
    "required": ["artifactChanges"],
    "properties": {
        "description": MESSAGE,
        "artifactChanges": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["artifactLocation", "replacements"],
                "properties": {
                    "artifactLocation": FILE,
                    "replacements": {"type": "array", "minItems": 1, "items": REPLACEMENT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": MESSAGE,
        "locations": {
            "type": "array",
            "minItems": 1,
            "items": {
                "properties": {
                    "physicalLocation": {
                        "required": ["artifactLocation", "region"],
                        "properties": {"artifactLocation": FILE, "region": REGION},
                    },
                    "logicalLocations": {"type": "array"},
                },
                "additionalProperties": False,
            },
        },
        "fixes": {"type": "array", "minItems": 1, "items": FIX},
    },
    "additionalProperties": False,
}
RULE = {
    "type": "object",
    "required": [
        "id",
        "shortDescription",
        "fullDescription",
        "help",
        "helpUri",
        "defaultConfiguration",
    ],
    "properties": {
        "id": {"type": "string"},
        "shortDescription": MESSAGE,
        "fullDescription": MESSAGE,
        "help": MESSAGE,
        "helpUri": {"type": "string"},
        "defaultConfiguration": {"properties": {"level": LEVEL}, "additionalProperties": False},
    },
    "additionalProperties": False,
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {"type": "array", "items": RULE, "uniqueItems": True},
                                },
                                "additionalProperties": False,
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
CHECKER = Draft7Validator(LOG)
TEXT = SHIPPED.read_text(encoding="utf-8")
BROKEN = TEXT.replace("type: minimize", "type: Minimize").replace('min: "4", max', "min: 4, max")
BROKEN = BROKEN.replace("            restartPolicy: Never\n", "").replace(
    "maxTrialCount: 20", "maxTrialCount: 0 # größer"
)


def log(text: str, source: str = "a b/größe.yaml") -> dict[str, Any]:
    return sarif_log(lint_text(text, source), {source: text}, "1.2.3")


@pytest.mark.parametrize(
    "text",
    [TEXT, BROKEN, "", "a: [", *(rule.failing_experiment for rule in all_rules().values())],
    ids=[*("shipped", "broken", "empty", "no yaml"), *all_rules()],
)
def test_a_log_has_the_essentials_of_the_public_schema(text: str) -> None:
    assert list(CHECKER.iter_errors(json.loads(json.dumps(log(text))))) == []


def test_every_result_points_to_its_rule_which_points_into_the_page() -> None:
    run = log(BROKEN)["runs"][0]
    known = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in known] == sorted(all_rules())
    for result in run["results"]:
        rule = known[result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["helpUri"] == f"docs/lint.md#{result['ruleId'].lower()}"
        assert (
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            == "a%20b/gr%C3%B6%C3%9Fe.yaml"
        )


def test_the_fixes_of_a_log_make_the_same_text_as_the_command() -> None:
    lines = BROKEN.split("\n")
    changes = [
        replacement
        for result in log(BROKEN)["runs"][0]["results"]
        for fix in result.get("fixes", [])
        for replacement in fix["artifactChanges"][0]["replacements"]
    ]
    assert len(changes) == 3
    for change in reversed(changes):
        region = change["deletedRegion"]
        assert region["startLine"] == region["endLine"]
        line = lines[region["startLine"] - 1]
        inserted = change["insertedContent"]["text"]
        lines[region["startLine"] - 1] = (
            line[: region["startColumn"] - 1] + inserted + line[region["endColumn"] - 1 :]
        )
    assert "\n".join(lines) == apply_fixes(BROKEN, lambda text: lint_text(text, "a.yaml"))[0]
