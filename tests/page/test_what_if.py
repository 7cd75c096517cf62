"""The chart of what would be otherwise is the model's own line along one column."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect
from support.registry import toy_data as toy
from support.serving.page_visits import Visit, await_shown, box, predicted, typical
from support.serving.servers import await_true, serving

from registry import ModelStore
from registry.package import Column, ModelPackage


def ages(visit: Visit, entered: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows requested along the whole range of ages, the entered one among them."""
    lists = (rows for rows in visit.sent("/predict") if isinstance(rows, list) and entered in rows)
    return next((rows for rows in lists if rows[-1]["age"] == 89.7), None)


def test_what_if_draws_the_model_along_the_column_that_was_touched(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        chart = page.locator("#whatif-chart svg")
        box(page, "age").fill("33.3")
        expect(page.get_by_role("heading", name="price along age")).to_be_visible()
        rows = await_true(lambda: ages(visit, {**typical(homes), "age": 33.3}), "a list of ages")
        assert 25 <= len(rows) <= 40
        assert all({**row, "age": None} == {**typical(homes), "age": None} for row in rows)
        line = chart.locator("polyline")
        await_true(
            lambda: len((line.get_attribute("points") or "").split()) == len(rows),
            "all of them to be drawn",
        )
        box(page, "region").select_option(label="east")
        values = [
            predicted(homes, {**typical(homes), "age": 33.3, "region": name})[0]
            for name in toy.REGIONS
        ]
        said = ", ".join(
            f"{name} {value:.4g}" for name, value in zip(toy.REGIONS, values, strict=True)
        )
        expect(page.get_by_role("img", name=f"price along region: {said}")).to_be_visible()
        page.get_by_role("switch", name="What if").uncheck()
        expect(chart).to_have_count(0)
        asked = len(visit.sent("/predict"))
        box(page, "age").fill("44")
        await_shown(page, predicted(homes, {**typical(homes), "age": 44.0, "region": "east"})[0])
        assert len(visit.sent("/predict")) == asked + 1


@pytest.mark.parametrize("which", ["homes", "flowers"])
def test_what_if_begins_with_the_column_that_moves_the_prediction_most(
    visit: Visit, store: ModelStore, request: pytest.FixtureRequest, which: str
) -> None:
    package: ModelPackage = request.getfixturevalue(which)
    row = typical(package)
    kind = int(np.argmax(predicted(package, typical(package))))

    def spread(column: Column) -> float:
        ends = {"numeric": (column.minimum, column.maximum), "boolean": (False, True)}
        values = ends.get(column.kind, column.categories)
        return float(
            np.ptp([predicted(package, {**row, column.name: value})[kind] for value in values])
        )

    strongest = max(package.manifest.columns, key=spread)
    with serving(store, package) as client:
        page = visit.open(client)
        expect(page.locator("#whatif-title")).to_contain_text(f" along {strongest.name}")
        expect(page.locator("#whatif-chart svg")).to_have_count(1)
