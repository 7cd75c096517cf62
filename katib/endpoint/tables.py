"""Tables as the API server makes them, which kubectl prints."""

from collections.abc import Sequence
from datetime import datetime

from katib.endpoint.resources import Column, Resource
from katib.objects import JsonObject, KatibObject

TABLE = "as=Table"  # of the Accept header
FEW = 10  # units up to which the next smaller one is shown too
UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def render_table(
    resource: Resource, items: Sequence[KatibObject], *, version: str, now: datetime
) -> JsonObject:
    """Return a table with a row an object.

    Args:
        resource: the kind of the objects.
        items: the objects.
        version: the resourceVersion of the table.
        now: with a zone; ages are counted up to it.
    """
    columns = [_column("Name", "name"), *map(_described, resource.columns), _column("Age")]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": columns,
        "rows": [_row(resource, item, now) for item in items],
    }


def short_duration(seconds: float) -> str:
    """Return a duration as kubectl shows it: `42s`, `3m12s`, `5h`, `2d4h`."""
    rest = max(0, int(seconds))
    if rest < 2 * 60:
        return f"{rest}s"
    for (unit, size), (smaller, step) in zip(UNITS, (*UNITS[1:], ("s", 1)), strict=True):
        if rest >= size:
            whole = rest // size
            part = rest % size // step
            if part and whole < FEW:
                return f"{whole}{unit}{part}{smaller}"
            return f"{whole}{unit}"
    return f"{rest}s"


def _row(resource: Resource, item: KatibObject, now: datetime) -> JsonObject:
    metadata = item["metadata"]
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    cells = [column.cell(item) for column in resource.columns]
    partial = {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
    }
    age = short_duration((now - created).total_seconds())
    return {"cells": [metadata["name"], *cells, age], "object": partial}


def _described(column: Column) -> JsonObject:
    return {**_column(column.name), "priority": column.priority}


def _column(name: str, form: str = "") -> JsonObject:
    return {"name": name, "type": "string", "format": form, "description": "", "priority": 0}
