"""A form of eighty columns: the most important in front, a search, and honest gaps."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from support.serving.page_visits import Visit, await_shown, input_box, predict_one, visiting
from support.serving.servers import serving

from registry import ModelStore
from registry.package import Draft, FlatForest, ModelPackage, load_package, write_package

LONG = "a category of exactly sixty characters, so that it overflows"


def _columns() -> list[dict[str, Any]]:
    """Return eighty columns, as those of a table of houses."""
    ranged = {"kind": "numeric", "minimum": 0.0, "maximum": 785_000_000.0, "typical": 601_000_000.0}
    found: list[dict[str, Any]] = [{"name": f"Garage Part {i}", **ranged} for i in range(40)]
    found += [{"name": f"BsmtFin{i}", **ranged} for i in range(36)]
    found.append({"name": "Pool Area", **ranged, "nullable": True, "typical": None})
    found.append({"name": "Alley", "kind": "categorical", "categories": ("Grvl", LONG)})
    found[-1] |= {"nullable": True, "typical": None}
    found.append({"name": "Heated", "kind": "boolean", "nullable": True, "typical": None})
    found.append({"name": "tiny_numbers", **ranged, "maximum": 2e-7, "typical": 1e-7})
    return found


@pytest.fixture(scope="module")
def houses(homes: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A forest of one tree over eighty columns, with importances."""
    columns = _columns()
    forest = homes.forest
    one = FlatForest(
        start=forest.start[:2],
        feature=forest.feature[: forest.start[1]],
        threshold=forest.threshold[: forest.start[1]],
        left=forest.left[: forest.start[1]],
        right=forest.right[: forest.start[1]],
        missing_left=forest.missing_left[: forest.start[1]],
        value=forest.value[: forest.start[1]],
        n_features=81,
    )
    names = [column["name"] for column in columns]
    ranked = ["Pool Area", "Alley", *(name for name in names if name.startswith("Bsmt"))]
    importances = [
        {"column": name, "mean": 9.0 - i / 9, "low": 8.0 - i / 9, "high": 10.0}
        for i, name in enumerate(ranked)
    ]
    fields = {
        **homes.manifest.to_dict(),
        "name": "houses",
        "columns": columns,
        "reference": [],
        "scores": {"rmse": 25_990.0, "r2": 0.9, "mae": 1.5},
        "importances": importances,
        "out_of_bag": 4.0,
    }
    row = {column["name"]: column["typical"] for column in columns}
    folder = tmp_path_factory.mktemp("houses") / "package"
    write_package(folder, Draft(fields, one, homes.rows, [row], "a card", homes.residuals))
    return load_package(folder)


def test_the_most_important_come_first_and_the_rest_is_folded(
    visit: Visit, store: ModelStore, houses: ModelPackage
) -> None:
    with serving(store, houses) as client:
        page = visit.open(client)
        front = page.locator("#fields .field label")
        expect(front).to_have_count(12)
        expect(front.first).to_have_text("Pool Area")
        expect(page.locator("#more-title")).to_have_text("68 more fields, at typical values")
        expect(input_box(page, "Garage Part 7")).to_be_hidden()
        page.locator("#more-title").click()
        expect(page.get_by_role("group", name="Garage …")).to_be_visible()
        input_box(page, "Garage Part 7").fill("5")
        expect(page.locator("#more-title")).to_have_text("68 more fields, 1 changed")


def test_a_search_finds_columns_by_parts_of_their_names(
    visit: Visit, store: ModelStore, houses: ModelPackage
) -> None:
    with serving(store, houses) as client:
        page = visit.open(client)
        page.get_by_label("Find a column").fill("part GARAGE 1")
        expect(page.locator("#found")).to_have_text("13 of 80 fields")
        expect(page.locator(".field:visible")).to_have_count(13)
        expect(page.get_by_role("group", name="BsmtFin …")).to_be_hidden()
        page.get_by_label("Find a column").fill("")
        expect(page.locator(".field:visible")).to_have_count(12)


def test_gaps_that_are_typical_are_empty_and_sent_as_null(
    visit: Visit, store: ModelStore, houses: ModelPackage
) -> None:
    typical = {column.name: column.typical for column in houses.manifest.columns}
    with serving(store, houses) as client:
        page = visit.open(client)
        await_shown(page, float(predict_one(houses, typical)[0]))
        sent = next(body for body in visit.sent("/predict") if isinstance(body, dict))
        assert sent == typical
        assert [name for name, value in sent.items() if value is None] == [
            "Pool Area",
            "Alley",
            "Heated",
        ]
        expect(input_box(page, "Pool Area")).to_have_value("")
        expect(input_box(page, "Pool Area")).to_have_attribute("placeholder", "missing")
        expect(input_box(page, "Alley").locator("option:checked")).to_have_text("missing")
        input_box(page, "Alley").select_option(label=LONG)
        page.locator("#more-title").click()
        input_box(page, "Heated").select_option(label="no")
        row = {**typical, "Alley": LONG, "Heated": False}
        await_shown(page, float(predict_one(houses, row)[0]))
        expect(page.locator("#curl")).to_contain_text('"Heated":false')


def test_numbers_are_written_out(visit: Visit, store: ModelStore, houses: ModelPackage) -> None:
    with serving(store, houses) as client:
        page = visit.open(client)
        page.locator("#more-title").click()
        expect(input_box(page, "tiny_numbers")).to_have_value("0.0000001")
        expect(page.locator("#scores")).to_have_text("RMSE25,990R²0.9mean absolute error1.5")
        expect(page.locator("#figures")).to_contain_text("out-of-bag RMSE2")
        track = page.locator(".field", has=input_box(page, "BsmtFin0")).locator(".track span")
        expect(track).to_have_text(["0", "785M"])


def test_importances_are_shown_with_their_intervals(
    visit: Visit, store: ModelStore, houses: ModelPackage
) -> None:
    with serving(store, houses) as client:
        page = visit.open(client)
        expect(page.locator("#weights li")).to_have_count(12)
        first = page.locator("#weights li").first
        score = houses.manifest.cross_validation.score
        expect(first).to_contain_text("Pool Area")
        expect(first).to_have_attribute("title", f"+{800 / score:.3g} % to +{1000 / score:.3g} %")
        expect(page.locator("#rest-of-weights summary")).to_have_text("26 more columns")


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_nothing_overflows_or_lies_on_a_slider(
    browser: Browser, store: ModelStore, houses: ModelPackage, width: int
) -> None:
    overlaps = """() => [...document.querySelectorAll('.track')].filter((track) => {
        const [low, slider, high] = [...track.children].map((each) => each.getBoundingClientRect());
        return low.right > slider.left || slider.right > high.left;
    }).length"""
    with (
        serving(store, houses) as client,
        visiting(browser, viewport={"width": width, "height": 740}) as visit,
    ):
        page = visit.open(client)
        page.locator("#more-title").click()
        expect(input_box(page, "Garage Part 1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(overlaps) == 0


def test_a_problem_of_a_folded_field_is_unfolded(
    visit: Visit, store: ModelStore, houses: ModelPackage
) -> None:
    with serving(store, houses) as client:
        page = visit.open(client)
        page.locator("#more-title").click()
        input_box(page, "Garage Part 7").fill("")
        expect(input_box(page, "Garage Part 7")).to_have_attribute("aria-invalid", "true")
        page.locator("#more-title").click()
        input_box(page, "Pool Area").fill("5")
        expect(input_box(page, "Garage Part 7")).to_be_visible()


def test_a_package_without_importances_keeps_the_files_order(
    visit: Visit, store: ModelStore, houses: ModelPackage, tmp_path: Path
) -> None:
    fields = {**houses.manifest.to_dict(), "importances": ()}
    rows = houses.golden.rows
    write_package(tmp_path / "p", Draft(fields, houses.forest, houses.rows, rows, "a card"))
    with serving(store, load_package(tmp_path / "p")) as client:
        page = visit.open(client)
        expect(page.locator("#fields .field label").first).to_have_text("Garage Part 0")
        expect(page.locator("#importances")).to_be_hidden()
        expect(page.locator("#sample")).to_be_hidden()
