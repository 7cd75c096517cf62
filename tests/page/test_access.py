"""The page works by keyboard and screen reader, in both themes, and on a phone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from support.serving.page_visits import (
    Visit,
    await_shown,
    input_box,
    predict_typical,
    typical_row,
    visiting,
)
from support.serving.servers import serving

from registry import ModelStore
from registry.package import ModelPackage

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
FOCUS = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const label = at.getAttribute("aria-label") ?? at.textContent.slice(0, 30);
    return at === document.body ? null : {id: at.id, type: at.type ?? "", label, seen};
}"""
WIDE = "() => [document.documentElement.scrollWidth, innerWidth]"


def press_tab_through(page: Page, at_most: int = 120) -> Sequence[dict[str, Any]]:
    """Press Tab from the top until the document is left; return what had the focus."""
    stops: list[dict[str, Any]] = []
    for _ in range(at_most):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUS)
        if found is None:
            return stops
        stops.append(found)
    raise AssertionError("the focus never leaves the page")


def test_the_keyboard_alone_reaches_everything_and_is_seen_doing_so(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        stops = press_tab_through(page)
        assert stops[0]["label"] == "Skip to the form"
        ids = [stop["id"] for stop in stops]
        for each in (
            "theme",
            "whatif-on",
            "reset",
            "field-0",
            "field-1",
            "field-2",
            "field-3",
        ):
            assert each in ids
        assert [stop["label"] for stop in stops if stop["type"] == "range"] == [
            "size, slider",
            "age, slider",
        ]
        assert [stop for stop in stops if not stop["seen"]] == []
        page.get_by_label("garden").focus()
        page.keyboard.press("Space")
        await_shown(page, predict_typical(homes, garden=not typical_row(homes)["garden"]))


def test_the_skip_link_goes_to_the_form(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "reset"


def test_a_prediction_is_read_out_once_the_sliders_rest(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        input_box(page, "size").fill("120")
        value = predict_typical(homes, size=120.0)
        live = page.locator("#live")
        expect(live).to_contain_text(f"Predicted price {value:.2f}, 90 % interval")
        assert live.get_attribute("role") == "status"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["homes", "flowers"])
def test_every_text_can_be_read_in_both_themes(
    browser: Browser, store: ModelStore, request: pytest.FixtureRequest, scheme: str, which: str
) -> None:
    with (
        serving(store, request.getfixturevalue(which)) as client,
        visiting(browser, color_scheme=scheme) as visit,
    ):
        page = visit.open(client)
        if which == "homes":
            input_box(page, "size").fill("500")
            expect(page.locator("#warnings li")).to_have_count(1)
        found = page.evaluate(CONTRAST)
        assert len(found) > 30
        assert [each for each in found if each["ratio"] < 4.5] == []


def test_the_theme_follows_the_system_until_somebody_chooses(
    browser: Browser, store: ModelStore, homes: ModelPackage
) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    with serving(store, homes) as client, visiting(browser, color_scheme="dark") as visit:
        page = visit.open(client)
        dark = page.evaluate(colour)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(colour)
        assert light != dark
        page.get_by_role("button", name="Use the dark theme").click()
        assert page.evaluate(colour) == dark
        visit.open(client)
        assert page.evaluate(colour) == dark
        page.get_by_role("button", name="Use the light theme").click()
        assert page.evaluate(colour) == light


@pytest.mark.parametrize("which", ["homes", "flowers", "hostile"])
def test_a_phone_needs_no_scrolling_sideways(
    browser: Browser, store: ModelStore, request: pytest.FixtureRequest, which: str
) -> None:
    package = request.getfixturevalue(which)
    with (
        serving(store, package) as client,
        visiting(
            browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
        ) as visit,
    ):
        page = visit.open(client)
        expect(page.locator("#whatif-chart svg")).to_have_count(1)
        page.evaluate(
            "() => document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        assert page.evaluate(WIDE) == [360, 360]
        page.locator(".field").last.locator("input, select").last.focus()
        expect(page.locator(":focus")).to_be_in_viewport()
        expect(page.locator("#number")).to_be_in_viewport()
