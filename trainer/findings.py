"""What was found in a table, and what was decided: said to people, and refused all at once."""

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trainer.errors import DataError

_DROP = "drop = "
FindingOutcome = Literal["refused", "dropped", "kept"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know of a table.

    Attributes:
        column: its name; empty where it is about the whole table.
        problem: what was found, with the line and the cell where there is one.
        outcome: "refused" needs the user's decision; a column is "dropped" or "kept" by a rule.
        fixes: lines to paste into the spec, one for each way out; for a decision by rule, the lines
            that overrule it.
    """

    column: str
    problem: str
    outcome: FindingOutcome
    fixes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the finding as one line for people."""
        where = f"column {self.column}: " if self.column else ""
        if self.outcome == "refused":
            return f"{where}{self.problem}"
        return f"{where}{self.problem}; {self.outcome}"


def refuse_findings(name: str, findings: Iterable[Finding]) -> None:
    """Raise one error for all findings that need a decision; return if there are none.

    Raises:
        DataError: naming each finding, with the lines to paste.
    """
    refused = [finding for finding in findings if finding.outcome == "refused"]
    if not refused:
        return
    if len(refused) == 1:
        raise DataError(refused[0].sentence(), hint=_paste_hint(refused))
    listed = "".join(f"\n  {finding.sentence()}" for finding in refused)
    raise DataError(
        f"{name}: {len(refused)} decisions are yours:{listed}", hint=_paste_hint(refused)
    )


def _paste_hint(refused: Sequence[Finding]) -> str:
    """Return the lines to paste; those that drop columns become one, which drops all of them."""
    ways = []
    dropped: dict[str, None] = {}
    for finding in refused:
        own = [fix for fix in finding.fixes if not fix.startswith(_DROP)]
        if own:
            ways.append(" or ".join(own))
        for fix in finding.fixes:
            if fix.startswith(_DROP):
                dropped |= dict.fromkeys(tomllib.loads(fix)["drop"])
    joined = "; ".join(dict.fromkeys(ways))
    if dropped:
        listed = ", ".join(json.dumps(name, ensure_ascii=False) for name in dropped)
        joined = " or ".join(filter(None, [joined, f"{_DROP}[{listed}]"]))
    if not joined:
        return ""
    return f"write into the spec, above its [tables]: {joined}"
