"""The page in a real Chromium: what people do there, and what they are shown."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect
from support import toy
from support.cli import free_port
from support.promotions import Plant, passed
from support.servers import await_true, in_process, put, serving

from api import create_app
from api.keys import ApiKey
from registry import ModelStore
from registry.package import Draft, ModelPackage, load_package, write_package

PATIENCE = 20_000  # ms
NOTHING = "\N{EN DASH}"
HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A regression with a number, a number that may be missing, a category and a flag; it states an interval."""
    folder = tmp_path_factory.mktemp("homes")
    package = toy.package(toy.dataset(folder / "data", toy.homes()), folder / "homes-good", toy.GOOD)
    rng = np.random.default_rng(0)
    observed = rng.uniform(0, 30, 50)
    residuals = np.column_stack([observed + rng.normal(0, 1, 50), observed])
    interval = {"coverage": 0.9, "half_width": 2.0, "measured": 0.88}
    return rewritten(package, folder / "told", residuals=residuals, interval=interval)


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("flowers")
    data = toy.dataset(folder / "data", toy.flowers(), name="flowers")
    package = toy.package(data, folder / "flowers-good", toy.CAREFUL)
    residuals = np.array([[0, 0, 0.9], [0, 0, 0.95], [1, 0, 0.5], [1, 1, 0.8], [2, 2, 1.0]])
    return rewritten(package, folder / "told", residuals=residuals)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


def rewritten(package: ModelPackage, folder: Path, *, residuals: Any = None, **manifest: Any) -> ModelPackage:  # noqa: ANN401
    """Write a copy with other residuals and manifest fields."""
    fields = {**package.manifest.to_dict(), **manifest}
    card = f"# card\n{HOSTILE}"
    write_package(folder, Draft(fields, package.forest, package.rows, package.golden.rows, card, residuals))
    return load_package(folder)


@dataclass
class Visit:
    """A tab, and what went on in it."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, client: httpx.Client, path: str = "") -> Page:
        """Go to the page, and wait for its first prediction."""
        self.page.goto(f"{client.base_url}{path}")
        expect(self.page.locator("#number")).not_to_have_text(NOTHING)
        return self.page

    def sent(self, path: str) -> list[Any]:
        """Return the bodies of requests to this path."""
        self.page.evaluate("0")  # events are taken in between calls
        return [json.loads(r.post_data or "null") for r in self.requests if r.url.split("?")[0].endswith(path)]


@contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - the context's own
    """Open a tab; nothing may come from another server, be refused by the policy, or fail in a script."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    visit = Visit(context.new_page())
    visit.page.on("request", lambda request: visit.requests.append(request))  # noqa: PLW0108 - it wants a function
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None)
    yield visit
    assert {r.url.split("/")[2] for r in visit.requests if not r.url.startswith("about:")} <= {
        visit.page.url.split("/")[2]
    }
    assert [text for text in visit.complaints if "Failed to load resource" not in text] == []
    context.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    with visiting(browser, viewport={"width": 1280, "height": 900}) as found:
        yield found


def shown(page: Page) -> str:
    """Return the prediction in full precision."""
    return page.locator("#number").get_attribute("value") or ""


def await_shown(page: Page, expected: float) -> None:
    await_true(lambda: float(shown(page)) == expected, f"a prediction of {expected}")


def predicted(package: ModelPackage, row: dict[str, Any]) -> Any:  # noqa: ANN401 - an array
    return package.predict({name: [value] for name, value in row.items()})[0]


def box(page: Page, name: str) -> Locator:
    return page.get_by_label(name, exact=True)


def typical(package: ModelPackage) -> dict[str, Any]:
    return {column.name: column.typical for column in package.manifest.columns}


def missing(page: Page, name: str) -> Locator:
    return page.get_by_label(f"missing: {name}")


def test_the_form_is_the_models_and_its_answer_the_packages_own(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        await_shown(page, predicted(homes, typical(homes))[0])
        box(page, "size").fill("150.25")
        missing(page, "age").check()
        box(page, "region").select_option(label="south")
        page.get_by_role("switch", name="garden").set_checked(not typical(homes)["garden"])
        row = {"size": 150.25, "age": None, "region": "south", "garden": not typical(homes)["garden"]}
        value = predicted(homes, row)[0]
        await_shown(page, value)
        assert visit.sent("/predict")[-1] in (row, [{**row, "garden": True}, {**row, "garden": False}])
        assert row in visit.sent("/predict")
        assert page.locator("#number").inner_text() == f"{value:.2f}"
        assert page.locator("#interval").inner_text() == f"{value - 2:.2f} to {value + 2:.2f}, 90 % interval"
        expect(box(page, "age")).to_be_disabled()
        page.get_by_role("button", name="Back to typical values").click()
        await_shown(page, predicted(homes, typical(homes))[0])
        expect(box(page, "age")).to_be_enabled()


def test_a_classification_shows_every_classes_share(visit: Visit, store: ModelStore, flowers: ModelPackage) -> None:
    with serving(store, flowers) as client:
        page = visit.open(client)
        box(page, "width").fill("2.5")
        box(page, "length").fill("-0.25")
        shares = predicted(flowers, {"width": 2.5, "length": -0.25})
        likeliest = "abc"[int(shares.argmax())]
        expect(page.locator(".bars .chosen .share")).to_have_text(f"{shares.max() * 100:.1f} %")
        expect(page.locator("#number")).to_have_text(likeliest)
        expect(page.locator(".bars .share")).to_have_text([f"{share * 100:.1f} %" for share in shares])
        table = page.get_by_role("table")
        expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(["2 67 %", "1 33 %", "0 0 %"])
        assert f"share of {likeliest} along length" in (
            page.locator("#whatif-chart svg").get_attribute("aria-label") or ""
        )


def test_slider_and_box_go_in_step(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    column = homes.manifest.columns[0]
    assert column.maximum
    with serving(store, homes) as client:
        page = visit.open(client)
        slider = page.get_by_role("slider", name="size, slider")
        box(page, "size").fill("77.5")
        assert slider.input_value() == "77.5"
        slider.press("ArrowRight")
        moved = float(box(page, column.name).input_value())
        assert moved == float(slider.input_value()) > 77.5
        await_shown(page, predicted(homes, {**typical(homes), "size": moved})[0])
        slider.press("End")
        assert float(box(page, column.name).input_value()) == column.maximum
        assert page.get_by_text("never seen in training").count() == 0
        slider.press("Home")
        assert float(box(page, column.name).input_value()) == column.minimum


def ages(visit: Visit) -> list[dict[str, Any]] | None:
    """Return the last list of rows that was asked for along the whole range of ages."""
    found = [rows for rows in visit.sent("/predict") if isinstance(rows, list) and rows[-1]["age"] == 89.7]
    return found[-1] if found else None


def test_what_if_draws_the_model_along_the_column_that_was_touched(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        chart = page.locator("#whatif-chart svg")
        box(page, "age").fill("33.3")
        expect(page.get_by_role("heading", name="price along age")).to_be_visible()
        rows = await_true(lambda: ages(visit), "a list of ages")
        assert 25 <= len(rows) <= 40
        assert {**typical(homes), "age": 33.3} in rows
        assert all({**row, "age": None} == {**typical(homes), "age": None} for row in rows)
        line = chart.locator("polyline")
        await_true(lambda: len((line.get_attribute("points") or "").split()) == len(rows), "all of them to be drawn")
        box(page, "region").select_option(label="east")
        values = [predicted(homes, {**typical(homes), "age": 33.3, "region": name})[0] for name in toy.REGIONS]
        said = ", ".join(f"{name} {value:.4g}" for name, value in zip(toy.REGIONS, values, strict=True))
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
    row, kind = typical(package), int(np.argmax(predicted(package, typical(package))))

    def spread(column: Any) -> float:  # noqa: ANN401 - a column of any kind
        ends = {"numeric": (column.minimum, column.maximum), "boolean": (False, True)}
        values = ends.get(column.kind, column.categories)
        return float(np.ptp([predicted(package, {**row, column.name: value})[kind] for value in values]))

    strongest = max(package.manifest.columns, key=spread)
    with serving(store, package) as client:
        page = visit.open(client)
        expect(page.locator("#whatif-title")).to_contain_text(f" along {strongest.name}")
        expect(page.locator("#whatif-chart svg")).to_have_count(1)


def test_scores_say_where_they_are_from(visit: Visit, tmp_path: Path, homes: ModelPackage) -> None:
    plant = Plant(tmp_path, model="homes")
    plant.promoter().promote(homes, passed(homes, None))
    with in_process(create_app(plant.store, "homes")) as client:
        page = visit.open(client)
        score = f"{homes.manifest.cross_validation.score:.4g}"
        expect(page.locator("#figures")).to_contain_text("mse in the search, mean of")
        expect(page.locator("#verdict")).to_contain_text(f"mse {score} in the search.")
        told = Plant(tmp_path, model="homes").store.history("homes")
        assert told
        other = told.entries[0].replace(score=1.25)
        plant.store.write_history(told.replace(entries=(other,)))
        visit.open(client)
        expect(page.locator("#verdict")).to_contain_text("mse 1.25 in the gate, on fresh folds.")


def test_a_wrong_field_is_told_at_the_field_and_the_old_answer_stays(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        before = shown(page)
        box(page, "size").fill("")
        expect(box(page, "size")).to_have_attribute("aria-invalid", "true")
        expect(box(page, "size")).to_have_accessible_description("a number is missing here")
        expect(page.locator("#trouble")).to_be_visible()
        expect(page.locator("#request")).to_be_hidden()
        assert shown(page) == before
        box(page, "size").fill("1e39")
        expect(page.locator(".note.problem")).to_contain_text("less than or equal")
        box(page, "size").fill("100")
        await_shown(page, predicted(homes, {**typical(homes), "size": 100.0})[0])
        assert box(page, "size").get_attribute("aria-invalid") is None
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#request")).to_be_visible()


def test_a_value_outside_of_what_training_saw_is_answered_and_marked(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        box(page, "size").fill("500")
        header = client.post("/predict", json={**typical(homes), "size": 500}).headers["X-Model-Warning"]
        expect(page.locator("#warnings li")).to_have_text([header])
        expect(box(page, "size")).to_have_accessible_description("outside 20.49 to 199.5, never seen in training")
        await_shown(page, predicted(homes, {**typical(homes), "size": 500.0})[0])
        box(page, "size").fill("50")
        expect(page.locator("#warnings li")).to_have_count(0)


def test_an_answer_that_comes_too_late_is_not_shown(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if '"size":60' in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    with serving(store, homes) as client:
        page = visit.open(client)
        page.route("**/predict*", hold)
        box(page, "size").fill("60")
        await_true(lambda: page.evaluate("1") and held, "a request for size 60")
        box(page, "size").fill("180")
        value = predicted(homes, {**typical(homes), "size": 180.0})[0]
        await_shown(page, value)
        with suppress(Exception):  # the browser has given it up
            held[0].continue_()
        box(page, "region").select_option(label="south")
        await_shown(page, predicted(homes, {**typical(homes), "size": 180.0, "region": "south"})[0])
        page.unroute_all(behavior="ignoreErrors")


def test_many_changes_are_few_requests(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        page.get_by_role("switch", name="What if").uncheck()
        before = len(visit.sent("/predict"))
        page.evaluate("""() => {
            const box = document.getElementById("field-0");
            for (let i = 30; i < 80; i += 1) { box.value = i; box.dispatchEvent(new Event("input")); }
        }""")
        await_shown(page, predicted(homes, {**typical(homes), "size": 79.0})[0])
        assert len(visit.sent("/predict")) == before + 1


FOCUS = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const label = at.getAttribute("aria-label") ?? at.textContent.slice(0, 30);
    return at === document.body ? null : {id: at.id, type: at.type ?? "", label, seen};
}"""


def walk(page: Page, at_most: int = 120) -> Sequence[dict[str, Any]]:
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
        stops = walk(page)
        assert stops[0]["label"] == "Skip to the form"
        ids = [stop["id"] for stop in stops]
        for each in ("theme", "whatif-on", "reset", "field-0", "field-1-missing", "field-1", "field-2", "field-3"):
            assert each in ids
        assert [stop["label"] for stop in stops if stop["type"] == "range"] == ["size, slider", "age, slider"]
        assert [stop for stop in stops if not stop["seen"]] == []
        page.get_by_label("garden").focus()
        page.keyboard.press("Space")
        await_shown(page, predicted(homes, {**typical(homes), "garden": not typical(homes)["garden"]})[0])


def test_the_skip_link_goes_to_the_form(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "reset"


def test_a_prediction_is_read_out_once_the_sliders_rest(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        box(page, "size").fill("120")
        value = predicted(homes, {**typical(homes), "size": 120.0})[0]
        live = page.locator("#live")
        expect(live).to_contain_text(f"Predicted price {value:.2f}, 90 % interval")
        assert live.get_attribute("role") == "status"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["homes", "flowers"])
def test_every_text_can_be_read_in_both_themes(
    browser: Browser, store: ModelStore, request: pytest.FixtureRequest, scheme: str, which: str
) -> None:
    with serving(store, request.getfixturevalue(which)) as client, visiting(browser, color_scheme=scheme) as visit:
        page = visit.open(client)
        if which == "homes":
            box(page, "size").fill("500")
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


WIDE = "() => [document.documentElement.scrollWidth, innerWidth]"


@pytest.mark.parametrize("which", ["homes", "flowers", "hostile"])
def test_a_phone_needs_no_scrolling_sideways(
    browser: Browser, store: ModelStore, request: pytest.FixtureRequest, which: str
) -> None:
    package = request.getfixturevalue(which)
    with (
        serving(store, package) as client,
        visiting(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as visit,
    ):
        page = visit.open(client)
        expect(page.locator("#whatif-chart svg")).to_have_count(1)
        page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate(WIDE) == [360, 360]
        page.locator(".field").last.locator("input, select").last.focus()
        expect(page.locator(":focus")).to_be_in_viewport()
        expect(page.locator("#number")).to_be_in_viewport()


@pytest.fixture(scope="module")
def hostile(homes: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """Names and categories that would be markup, or very long, if they were not text."""
    forest, manifest = homes.forest, homes.manifest.to_dict()
    size, age, region, garden = manifest["columns"]
    size["name"], garden["name"] = HOSTILE, "a_very_long_name_without_any_place_to_break_" * 3
    categories = sorted([HOSTILE, "'; alert(1) //", "x" * 90])
    region["categories"], region["typical"] = categories, categories[1]
    columns = [size, age, region, garden]
    row = {column["name"]: column["typical"] for column in columns}
    fields = {**manifest, "columns": columns, "target": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    folder = tmp_path_factory.mktemp("hostile") / "package"
    write_package(folder, Draft(fields, forest, homes.rows, [row], HOSTILE, homes.residuals))
    return load_package(folder)


def test_markup_in_names_is_text(visit: Visit, tmp_path: Path, hostile: ModelPackage) -> None:
    plant = Plant(tmp_path, model="homes")
    plant.promoter().promote(hostile, passed(hostile, None, reasons=(HOSTILE,)))
    with in_process(create_app(plant.store, "homes")) as client:
        page = visit.open(client)
        box(page, HOSTILE).fill("100")
        box(page, "region").select_option(label=HOSTILE)
        await_shown(page, predicted(hostile, {**typical(hostile), HOSTILE: 100.0, "region": HOSTILE})[0])
        expect(page.get_by_role("heading", name=f"{HOSTILE} along region")).to_be_visible()
        expect(page.locator("#verdict .lead")).to_have_text(HOSTILE)
        assert page.locator("#text").text_content() == HOSTILE
        assert page.locator("img[src]").count() == 0
        assert page.title() == "homes · tunegate"


def test_a_promotion_is_noticed_and_what_was_entered_stays(visit: Visit, tmp_path: Path, homes: ModelPackage) -> None:
    better = rewritten(homes, tmp_path / "better", seed=99)
    plant = Plant(tmp_path, model="homes")
    plant.promoter().promote(homes, passed(homes, None))
    with in_process(create_app(plant.store, "homes")) as client:
        page = visit.open(client)
        box(page, "size").fill("66.5")
        plant.promoter().promote(better, passed(better, homes, reasons=("better than the champion by both keys",)))
        await_true(lambda: client.get("/version").json()["promotion"] == 2, "the server to follow")
        expect(page.get_by_role("status").filter(has_text="Promotion 2 of homes is live")).to_be_visible()
        page.get_by_role("button", name="Show it").click()
        expect(page.locator("#identity")).to_have_text(f"promotion 2 · package {better.digest[:12]}")
        assert box(page, "size").input_value() == "66.5"
        await_shown(page, predicted(better, {**typical(better), "size": 66.5})[0])
        expect(page.locator("#history li")).to_have_count(2)
        expect(page.locator("#history [aria-current=true]")).to_contain_text("Promotion 2")
        expect(page.locator("#verdict")).to_contain_text("better than the champion by both keys")
        expect(page.locator("#news")).to_be_empty()


def test_a_server_that_has_nothing_yet_is_waited_for(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with in_process(create_app(store, "homes")) as client:
        visit.page.goto(str(client.base_url))
        expect(visit.page.locator("#news")).to_contain_text("nothing has been promoted yet")
        put(store, homes)
        expect(visit.page.locator("#number")).not_to_have_text(NOTHING)
        expect(visit.page.locator("#news")).to_be_empty()
        expect(visit.page.locator("#verdict")).to_contain_text("no history of promotions")


def test_a_server_that_went_away_is_asked_again(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    put(store, homes)
    port = free_port()
    with in_process(create_app(store, "homes"), port=port) as client:
        page = visit.open(client)
        before = shown(page)
    box(page, "size").fill("55")
    expect(page.locator("#trouble")).to_have_text("The server does not answer")
    assert shown(page) == before
    with in_process(create_app(store, "homes"), port=port):
        await_shown(page, predicted(homes, {**typical(homes), "size": 55.0})[0])
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_key_is_asked_for_and_sent(visit: Visit, store: ModelStore, homes: ModelPackage, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("opensesame")
    put(store, homes)
    with in_process(ApiKey(create_app(store, "homes"), tmp_path / "key")) as client:
        page = visit.page
        page.goto(str(client.base_url))
        secret = page.get_by_label("This server asks for an API key")
        expect(secret).to_be_focused()
        secret.fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The server refused this key.")
        secret.fill("opensesame")
        page.keyboard.press("Enter")
        expect(page.locator("#number")).not_to_have_text(NOTHING)
        expect(secret).to_be_hidden()
        assert "opensesame" not in page.locator("#curl").inner_text()
        visit.open(client)  # kept for this tab
        assert page.evaluate("() => JSON.stringify(localStorage)").count("opensesame") == 0


def test_of_several_models_one_is_chosen(
    visit: Visit, store: ModelStore, homes: ModelPackage, flowers: ModelPackage
) -> None:
    put(store, homes)
    put(store, flowers)
    with in_process(create_app(store, "flowers", ["homes"])) as client:
        page = visit.open(client)
        expect(page.get_by_role("heading", level=1)).to_have_text("flowers")
        page.get_by_label("Model", exact=True).select_option("homes")
        expect(page.get_by_role("heading", level=1)).to_have_text("homes")
        box(page, "size").fill("88")
        await_shown(page, predicted(homes, {**typical(homes), "size": 88.0})[0])
        box(page, "size").fill("")
        expect(box(page, "size")).to_have_attribute("aria-invalid", "true")
        page.goto(f"{client.base_url}?model=homes")
        expect(page.get_by_role("heading", level=1)).to_have_text("homes")


@pytest.mark.parametrize("classes", [(False, True), (-1, 10)])
def test_classes_that_are_no_texts_are_shown_with_their_shares(
    visit: Visit, store: ModelStore, flowers: ModelPackage, tmp_path: Path, classes: tuple[int, ...]
) -> None:
    frame = toy.flowers().assign(kind=lambda table: [classes[kind == "b"] for kind in table["kind"]])
    data = toy.dataset(tmp_path / "data", frame, name="flowers")
    package = toy.package(data, tmp_path / "package", toy.CAREFUL)
    put(store, flowers)
    put(store, rewritten(package, tmp_path / "renamed", name="others"))
    with in_process(create_app(store, "flowers", ["others"])) as client:
        page = visit.open(client, "?model=others")
        expect(page.get_by_role("heading", level=1)).to_have_text("others")
        shares = predicted(package, typical(package))
        expect(page.locator(".bars .class")).to_have_text([str(name) for name in classes])
        expect(page.locator(".bars .share")).to_have_text([f"{share * 100:.1f} %" for share in shares])
        expect(page.locator("#number")).to_have_text(str(classes[int(shares.argmax())]))
        expect(page.locator("#whatif-chart polyline")).to_have_count(1)


def test_every_out_of_fold_prediction_is_drawn(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        assert homes.residuals is not None
        expect(page.locator(".cloud circle")).to_have_count(len(homes.residuals))
        expect(page.get_by_role("img", name="Predicted against observed price for 50 training rows")).to_be_visible()
        assert page.locator("#text").text_content() == f"# card\n{HOSTILE}"


def test_the_request_it_shows_gives_the_same_answer(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        box(page, "size").fill("91.5")
        await_shown(page, predicted(homes, {**typical(homes), "size": 91.5})[0])
        page.get_by_text("As a request").click()
        command = ["/bin/sh", "-c", page.locator("#curl").inner_text()]
        done = subprocess.run(command, capture_output=True, check=True, timeout=30)
        assert json.loads(done.stdout)["predicted_price"] == float(shown(page))
