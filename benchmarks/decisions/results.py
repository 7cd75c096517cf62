"""The results file: rates with intervals of every cell that was run, in plain JSON."""

from collections.abc import Sequence

from benchmarks.decisions.cells import MONTHS, RELEASES, Found
from benchmarks.decisions.decide import Decision
from benchmarks.decisions.runs import Cell, Journal
from benchmarks.decisions.summary import (
    Rate,
    cluster_rate,
    decision_rates,
    mean_ratio,
    named_rates,
    path_rates,
    promotion_rates,
)

Rates = dict[str, Rate]
Results = dict[str, dict[str, dict[str, Rates]]]
STEPS = {"monthly": (6, 12, MONTHS), "releases": (4, 8, RELEASES)}


def summarize(cells: Sequence[Cell], journal: Journal) -> Results:
    """Return rates by kind, cell, row and rule."""
    results: Results = {}
    recipes = {cell.name: _found(journal, cell) for cell in cells if cell.kind == "recipes"}
    for cell in cells:
        found = _found(journal, cell)
        if found and cell.kind == "named":
            rates = named_rates(found, [*found, *recipes[cell.name]])
            results.setdefault(cell.kind, {})[cell.name] = rates
        elif found and cell.kind != "recipes":
            results.setdefault(cell.kind, {})[cell.name] = _summarize_cell(cell.kind, found)
    return results


def _found(journal: Journal, cell: Cell) -> list[Found]:
    return list(journal.read(cell).values())


def _summarize_cell(kind: str, found: Sequence[Found]) -> dict[str, Rates]:
    if kind in STEPS:
        rows = {f"after {step}": path_rates(found, step - 1) for step in STEPS[kind]}
        return {**rows, "promotions": promotion_rates(found)}
    rows = {"promoted": decision_rates(found)}
    rows["truth"] = {
        "all": mean_ratio(found, lambda _: True),
        "promoted by the gate": mean_ratio(found, _is_promoted),
    }
    if kind == "searched":
        rows["published / true"] = {"the gate": cluster_rate([each["published"] for each in found])}
    return rows


def _is_promoted(found: Decision) -> bool:
    return found.promoted
