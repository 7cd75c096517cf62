"""The columns of a data set to learn from: what the spec names, and what the rules leave."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from trainer.errors import DataError
from trainer.findings import Finding
from trainer.profile.column_facts import count_column
from trainer.profile.decisions import decide_columns
from trainer.spec import DataSetSpec


@dataclass(frozen=True, slots=True)
class FeatureChoice:
    """The columns to learn from.

    Attributes:
        names: their names, in the order of the spec or the table.
        dropped: columns that a rule has dropped, in the table's order.
        findings: why, and what was kept although it is suspicious.
    """

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    findings: tuple[Finding, ...]


def choose_features(
    frame: pd.DataFrame,
    spec: DataSetSpec,
    *,
    include: Collection[str] = (),
    excluded: Collection[str] = (),
) -> FeatureChoice:
    """Apply the rules of `decide_columns` to what the spec does not name.

    Args:
        frame: the table, with all columns that the spec names.
        spec: what is stated: `features` and `[columns.<name>]` are kept, `drop` is dropped.
        include: columns to learn from, though the spec or a rule drops them.
        excluded: columns that are not learned from for another reason, as the rows' weights.

    Raises:
        DataError: when no column is left, or one to include is not dropped by anything.
    """
    not_learned = {spec.target, spec.weight, *spec.drop, *excluded} - set(include)
    offered = spec.features or tuple(str(name) for name in frame.columns)
    offered = tuple(dict.fromkeys((*offered, *(name for name in include if name in spec.drop))))
    names = [name for name in offered if name not in not_learned]
    facts = [count_column(frame[name], _stated_kind(spec, name)) for name in names]
    aim = count_column(frame[spec.target])
    stated = {*spec.features, *spec.columns, *(name for name in include if name in spec.drop)}
    found = decide_columns(facts, aim, named=stated)
    by_rule = {finding.column for finding in found if finding.outcome == "dropped"}
    spec.including(tuple(name for name in include if name not in by_rule))  # refuses others
    findings = tuple(finding for finding in found if finding.column not in include)
    dropped = tuple(finding.column for finding in findings if finding.outcome == "dropped")
    left = tuple(name for name in names if name not in dropped)
    if not left:
        raise DataError(f"{spec.name}: no feature is left to learn from", hint=_why(findings))
    return FeatureChoice(left, dropped, findings)


def _stated_kind(spec: DataSetSpec, name: str) -> str:
    stated = spec.columns.get(name)
    if stated and stated.type:
        return stated.type
    return ""


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return the findings for people, a line each, with what overrules the decision."""
    return [_finding_line(finding) for finding in findings]


def _finding_line(finding: Finding) -> str:
    fix = " or ".join(finding.fixes)
    if finding.outcome == "dropped":
        return f"{finding.sentence()}. To keep it: {fix}"
    return f"{finding.sentence()}. To drop it: {fix}"


def _why(findings: Iterable[Finding]) -> str:
    return "; ".join(finding_lines(findings))
