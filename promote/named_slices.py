"""Slices of the holdout that the user has named, none of which may become clearly worse.

In `tunegate.toml`:

    [gate.slices.north]
    region = "north"

    [gate.slices.large]
    size = { at_least = 120 }
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from promote.evidence import Floats, Slice, compare_losses
from promote.gate_input import Evaluation
from promote.policy import Bounds, GatePolicy, SliceRules
from promote.verdict import Check
from registry.metric_names import readable_number
from registry.package import COLUMN_KINDS, Column, ModelPackage
from registry.package.columns import CellArray

LEAST_ROWS = 10
DOUBT = 0.05  # over all named slices


def named_slice_checks(
    package: ModelPackage,
    data: Evaluation,
    fresh: NDArray[np.bool_],
    losses: tuple[Floats, Floats],
    policy: GatePolicy,
) -> Iterator[Check]:
    """Yield one check a slice.

    Args:
        package: the candidate; it names the columns.
        data: what it is judged on.
        fresh: bool (n_holdout,), the rows that `losses` are of.
        losses: float64 (n_fresh,) each, the candidate's and the champion's.
        policy: names the slices.
    """
    columns = {column.name for column in package.manifest.columns}
    found = {each.name: each for each in named_slices(package, data, fresh, policy)}
    for name, rules in policy.slices.items():
        title = f"slice {name}"
        unknown = [column for column in rules if column not in columns]
        if unknown:
            detail = f"the model has no column {unknown[0]}; see [gate.slices.{name}]"
            yield Check(name=title, passed=False, detail=detail)
            continue
        yield _check_slice(title, found[name], losses, policy)


def named_slices(
    package: ModelPackage, data: Evaluation, fresh: NDArray[np.bool_], policy: GatePolicy
) -> list[Slice]:
    """Return the slices that the policy names; one of an unknown column has no rows."""
    columns = {column.name: column for column in package.manifest.columns}
    found = []
    for name, rules in policy.slices.items():
        rows = np.ones(int(fresh.sum()), dtype=bool)
        for column, rule in rules.items():
            if column in columns:
                rows &= _matching_rows(columns[column], data.table[column][fresh], rule)
            else:
                rows[:] = False
        found.append(Slice(name, rows))
    return found


def _check_slice(
    title: str, each: Slice, losses: tuple[Floats, Floats], policy: GatePolicy
) -> Check:
    mine = losses[0][each.rows]
    theirs = losses[1][each.rows]
    if len(mine) < LEAST_ROWS:
        detail = f"{len(mine)} holdout rows, too few to judge by"
        return Check(name=title, passed=True, detail=detail)
    # The sides are swapped: is the champion better?
    worse = compare_losses(mine, theirs, resamples=policy.resamples, seed=policy.seed)
    passed = worse.p_better < 1 - DOUBT / len(policy.slices)
    detail = (
        f"{readable_number(worse.champion)} against {readable_number(worse.candidate)} "
        f"on {worse.rows} rows, P(worse) {worse.p_better:.3f}"
    )
    return Check(name=title, passed=passed, detail=detail, otherwise="keep")


def _matching_rows(column: Column, values: CellArray, rule: SliceRules) -> NDArray[np.bool_]:
    kind = COLUMN_KINDS[column.kind]
    if isinstance(rule, Bounds):
        if not kind.has_range:
            return np.zeros(len(values), dtype=bool)
        numbers = kind.range_values(values)
        low = -np.inf if rule.at_least is None else rule.at_least
        high = np.inf if rule.below is None else rule.below
        inside: NDArray[np.bool_] = (numbers >= low) & (numbers < high)
        return inside
    return np.array([kind.json_cell(column, value) == rule for value in values], dtype=bool)
