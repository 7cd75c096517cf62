"""The rules of lint: what each is about, how bad it is, why it matters on a cluster, and an example of both kinds.

All of it stands in `catalogue.toml`; docs/lint.md is made from it, and every example is under test.
"""

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
        code: K0xx, K1xx, K2xx or K3xx, for good.
        what: what it finds, half a sentence.
        why: what becomes of it on a real Katib, or here.
        failing: a piece of an Experiment that breaks the rule.
        passing: what stands in its place in an Experiment without a finding.
        given: changes of the example Experiment (old text, new text) that both need.
        mends: whether `--fix` mends the failing example.
        cluster_only: whether the local engine runs it all the same.
    """

    code: str
    what: str
    why: str
    failing: str
    passing: str
    severity: Severity = "error"
    given: tuple[tuple[str, str], ...] = ()
    mends: bool = False
    cluster_only: bool = False

    @property
    def good(self) -> str:
        """The whole Experiment that passes."""
        text = example()
        for old, new in self.given:
            text = _replaced(text, old, new)
        return text

    @property
    def bad(self) -> str:
        """The same, with the failing piece in the passing one's place."""
        return _replaced(self.good, self.passing, self.failing)


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by code, ascending."""
    table = _catalogue()["rules"]
    return {
        code: Rule(code, **{**entry, "given": tuple(map(tuple, entry.get("given", ())))})
        for code, entry in table
    }


def rule(code: str) -> Rule:
    """Return one rule."""
    return rules()[code]


def example() -> str:
    """Return the Experiment that the examples are pieces of."""
    return str(_catalogue()["example"])


@cache
def _catalogue() -> dict[str, Any]:
    read = tomllib.loads(files("katib.lint").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    return {"example": read.pop("example"), "rules": sorted(read.items())}


def _find(text: str, piece: str) -> tuple[int, str]:
    """Return where a piece stands, and the piece indented as it is there."""
    first = piece.split("\n", 1)[0]
    starts = [i for i in range(len(text)) if text.startswith(first, i)]
    found = [(i, _indented(piece, i - text.rfind("\n", 0, i) - 1)) for i in starts]
    fitting = [(i, shown) for i, shown in found if text.startswith(shown, i)]
    if len(fitting) != 1:
        raise ValueError(f"{piece!r} stands {len(fitting)} times in the example")
    return fitting[0]


def _replaced(text: str, old: str, new: str) -> str:
    start, shown = _find(text, old)
    column = start - text.rfind("\n", 0, start) - 1
    return text[:start] + _indented(new, column) + text[start + len(shown) :]


def _indented(piece: str, column: int) -> str:
    return ("\n" + " " * column).join(piece.split("\n"))
