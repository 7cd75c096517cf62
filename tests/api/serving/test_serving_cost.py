"""What serving a package needs: the estimate of the gate, next to what the server allocates."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.registry.package_variants import complete_forest, stump, tiny, variant

from api.routes.row_schema import schema_of
from api.serving.card import card_of
from api.serving.served import Served
from registry.package import ModelPackage, load_package, serving_cost
from registry.package.serving_cost import BASE_BYTES, mean_decisions
from registry.store import Pointer

NUMBERS = [{"name": f"x{i}", "kind": "numeric", "minimum": 0.0, "maximum": 1.0} for i in range(12)]
CATEGORIES = [
    {"name": f"c{i}", "kind": "categorical", "categories": [f"text {j:02}" for j in range(100)]}
    for i in range(20)
]
TEXTS = [{"name": "words", "kind": "text", "buckets": 1024}]
# Columns, a row's cell, golden rows, trees and their depth.
SHAPES: dict[str, tuple[list[dict[str, Any]], float | str, int, int, int]] = {
    "many nodes": (NUMBERS, 0.5, 2, 50, 10),
    "many categories": (CATEGORIES, "text 07", 5, 10, 5),
    "many golden cells": (TEXTS, "two words", 200, 10, 5),
}


def make_package(folder: Path, shape: str) -> ModelPackage:
    columns, cell, rows, trees, depth = SHAPES[shape]
    width = {"many nodes": 12, "many categories": 2000, "many golden cells": 1024}[shape]
    return variant(
        tiny(folder / "tiny"),
        folder / "toy",
        forest=complete_forest(trees, depth, width),
        columns=columns,
        golden=[{column["name"]: cell for column in columns}] * rows,
    )


def serve(path: Path) -> Served:
    package = load_package(path)
    served = Served.make(package, Pointer(model="toy", number=1, sha256=package.digest))
    schema_of(served)
    card_of(served).to_json()
    return served


@pytest.mark.parametrize("shape", SHAPES)
def test_the_memory_is_no_less_than_the_server_takes_and_not_far_above(
    tmp_path: Path, shape: str, record_property: Callable[[str, object], None]
) -> None:
    package = make_package(tmp_path, shape)
    serve(package.path)  # what is made once a process is not the package's
    tracemalloc.start()
    served = serve(package.path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    cost = serving_cost(served.package)
    record_property("figure", f"{peak >> 10} KiB at most, {cost.memory >> 10} computed ({shape})")
    assert kept <= cost.kept < 6 * kept + BASE_BYTES
    assert peak <= cost.memory < 4 * peak + BASE_BYTES


def test_decisions_are_the_trees_mean_depths() -> None:
    assert mean_decisions(stump()) == 1
    assert mean_decisions(complete_forest(3, 4, 2)) == 12


def test_a_larger_forest_takes_longer(tmp_path: Path) -> None:
    small = serving_cost(tiny(tmp_path / "tiny")).microseconds
    large = serving_cost(make_package(tmp_path, "many nodes")).microseconds
    assert 0 < small < large
