"""The rules of lint: what each finds, how severe it is, why it matters, and two examples.

All of it is written in `catalogue.toml`. docs/lint.md is made from that file, and tests run every
example.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: K0xx, K1xx, K2xx or K3xx; it never changes.
        what: what the rule finds, half a sentence.
        why: what happens on a real Katib, or here.
        failing: a piece of an Experiment that breaks the rule.
        passing: the same piece without a finding.
        given: changes (old text, new text) of the example Experiment that both pieces need.
        fixable: whether `--fix` corrects the failing example.
        cluster_only: whether the local engine runs it all the same.
    """

    code: str
    what: str
    why: str
    failing: str
    passing: str
    severity: Severity = "error"
    given: tuple[tuple[str, str], ...] = ()
    fixable: bool = False
    cluster_only: bool = False

    @property
    def passing_experiment(self) -> str:
        """The whole Experiment with the passing piece."""
        text = example_experiment()
        for old, new in self.given:
            text = _replace_piece(text, old, new)
        return text

    @property
    def failing_experiment(self) -> str:
        """The whole Experiment with the failing piece."""
        return _replace_piece(self.passing_experiment, self.passing, self.failing)


@cache
def all_rules() -> Mapping[str, Rule]:
    """Return all rules by code, ascending."""
    tables = sorted((code, table) for code, table in _catalogue().items() if code != "example")
    return {
        code: Rule(code, **{**table, "given": tuple(map(tuple, table.get("given", ())))})
        for code, table in tables
    }


def find_rule(code: str) -> Rule:
    """Return the rule of a code."""
    return all_rules()[code]


def example_experiment() -> str:
    """Return the Experiment that the examples are pieces of."""
    return str(_catalogue()["example"])


@cache
def _catalogue() -> dict[str, Any]:
    text = files("katib.lint").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _replace_piece(text: str, old: str, new: str) -> str:
    """Replace a piece that occurs once; lines after its first are indented to its column."""
    found = []
    for match in re.finditer(re.escape(old.split("\n", 1)[0]), text):
        indent = "\n" + " " * (match.start() - text.rfind("\n", 0, match.start()) - 1)
        indented = old.replace("\n", indent)
        if text.startswith(indented, match.start()):
            found.append((match.start(), indented, new.replace("\n", indent)))
    if len(found) != 1:
        raise ValueError(f"{old!r} occurs {len(found)} times in the example")
    start, indented, replacement = found[0]
    return text[:start] + replacement + text[start + len(indented) :]
