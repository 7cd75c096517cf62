"""Tables as the API server makes them, which kubectl prints."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from katib.endpoint.resources import Resource, find_value
from katib.objects import JsonObject, KatibObject, assignments

TABLE = "as=Table"  # of the Accept header
FEW = 10  # units up to which the next smaller one is shown too
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class Column(NamedTuple):
    """A column: a path, or what makes its cell; `priority` 1 only shows with `-o wide`."""

    name: str
    cell: str | Callable[[KatibObject], object]
    priority: int = 0


def _trial_count(item: KatibObject) -> str:
    return f"{item['status'].get('trials', 0)}/{item['spec'].get('maxTrialCount', 'no limit')}"


def _parameters(item: KatibObject) -> str:
    return ",".join(f"{name}={value}" for name, value in assignments(item).items())


# Those of Katib's own definitions; the columns of priority 1 are ours.
CONDITION = (
    Column("Type", "status.conditions.-1.type"),
    Column("Status", "status.conditions.-1.status"),
)
COLUMNS = {
    "experiments": (
        *CONDITION,
        Column("Trials", _trial_count, 1),
        Column("Best", "status.currentOptimalTrial.bestTrialName", 1),
    ),
    "trials": (*CONDITION, Column("Parameters", _parameters, 1)),
    "suggestions": (
        *CONDITION,
        Column("Requested", "spec.requests"),
        Column("Assigned", "status.suggestionCount"),
    ),
    "pods": (Column("Status", "status.phase"),),
}


def render_table(
    resource: Resource, items: Sequence[KatibObject], *, version: str, now: datetime | None = None
) -> JsonObject:
    """Return a table with a row an object.

    Args:
        resource: the kind of the objects.
        items: the objects.
        version: the resourceVersion of the table.
        now: with a zone; ages are counted up to it, the present time by default.
    """
    columns = COLUMNS.get(resource.plural, ())
    now = now or datetime.now(UTC)
    rows = []
    for item in items:
        metadata = item["metadata"]
        age = now - datetime.fromisoformat(metadata["creationTimestamp"])
        cells = [_render_cell(column, item) for column in columns]
        about = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        rows.append(
            {
                "cells": [metadata["name"], *cells, short_duration(age.total_seconds())],
                "object": about | {"metadata": metadata},
            }
        )
    described = [_describe("Name", form="name"), *(_describe(n, p) for n, _, p in columns)]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [*described, _describe("Age")],
        "rows": rows,
    }


def _render_cell(column: Column, item: KatibObject) -> object:
    if isinstance(column.cell, str):
        value = find_value(item, column.cell)
        return "" if value is None else value
    return column.cell(item)


def _describe(name: str, priority: int = 0, form: str = "") -> JsonObject:
    described = {"name": name, "type": "string", "format": form, "description": ""}
    return {**described, "priority": priority}


def short_duration(seconds: float) -> str:
    """Return a duration as kubectl shows it: `42s`, `3m12s`, `5h`, `2d4h`."""
    rest = max(0, int(seconds))
    if rest < 2 * 60:
        return f"{rest}s"
    place = next(place for place, (_, size) in enumerate(UNITS) if rest >= size)
    (unit, size), (smaller, step) = UNITS[place : place + 2]
    whole, part = divmod(rest, size)
    if part >= step and whole < FEW:
        return f"{whole}{unit}{part // step}{smaller}"
    return f"{whole}{unit}"
