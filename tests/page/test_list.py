"""The list of all models: versions, ages, scores and promotions, and the way to each page."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.serving.page_visits import NOTHING, Visit, await_shown, predict_typical, visiting
from support.serving.servers import in_process, put

from api import create_app
from registry import ModelStore, Pointer
from registry.package import ModelPackage


def test_a_server_of_several_models_begins_with_the_list(
    visit: Visit, tmp_path: Path, homes: ModelPackage, flowers: ModelPackage
) -> None:
    site = PromotionSite(tmp_path, model="homes")
    site.promoter().promote(homes, promoting_verdict(homes, None))
    put(site.store, flowers)
    with in_process(create_app(site.store, "flowers", ["homes", "late"])) as client:
        page = visit.page
        page.goto(str(client.base_url))
        expect(page.get_by_role("heading", level=2)).to_have_text(["flowers", "homes", "late"])
        entry = page.get_by_role("listitem").filter(has_text="homes")
        expect(entry).to_contain_text(f"1 {homes.digest[:12]}")
        expect(entry).to_contain_text("RMSE")
        expect(entry).to_contain_text("just now")
        expect(entry).to_contain_text("1 promotion")
        late = page.get_by_role("listitem").filter(has_text="late")
        expect(late).to_contain_text("nothing has been promoted yet")
        page.get_by_role("link", name="homes").click()
        expect(page.locator("#number")).not_to_have_text(NOTHING)
        await_shown(page, predict_typical(homes))
        expect(page).to_have_url(f"{client.base_url}/models/homes")
        page.get_by_role("link", name="All models").click()
        expect(page.get_by_role("heading", level=2)).to_have_text(["flowers", "homes", "late"])


def test_the_list_follows_a_promotion(
    visit: Visit, store: ModelStore, homes: ModelPackage, flowers: ModelPackage
) -> None:
    put(store, homes)
    put(store, flowers)
    with in_process(create_app(store, "homes", ["flowers"])) as client:
        visit.page.goto(str(client.base_url))
        entry = visit.page.get_by_role("listitem").filter(has_text="homes")
        expect(entry).to_contain_text(f"1 {homes.digest[:12]}")
        put(store, homes, number=2)
        expect(entry).to_contain_text(f"2 {homes.digest[:12]}")


def test_a_store_of_one_model_begins_with_its_page(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    put(store, homes)
    with in_process(create_app(store, "homes")) as client:
        page = visit.open(client)
        expect(page.get_by_role("heading", level=1)).to_have_text("homes")
        expect(page.get_by_role("link", name="All models")).to_have_count(0)


def test_models_of_the_store_that_are_not_served_are_listed_too(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    put(store, homes)
    store.point(Pointer(model="elsewhere", number=1, sha256=homes.digest))
    with in_process(create_app(store, "homes")) as client:
        page = visit.page
        page.goto(str(client.base_url))
        entry = page.get_by_role("listitem").filter(has_text="elsewhere")
        expect(entry).to_contain_text("not served here: start the server with --also elsewhere")
        expect(entry.get_by_role("link")).to_have_count(0)
        page.get_by_role("link", name="homes").click()
        expect(page.locator("#number")).not_to_have_text(NOTHING)
        expect(page.locator("#models")).to_be_hidden()
        page.get_by_role("link", name="All models").click()
        expect(entry).to_be_visible()


def test_a_model_that_is_not_here_is_named_with_the_way_to_the_list(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    put(store, homes)
    with in_process(create_app(store, "homes")) as client:
        visit.page.goto(f"{client.base_url}/models/nobody")
        expect(visit.page.get_by_role("status").first).to_contain_text("No such model")
        visit.page.get_by_role("link", name="All models").first.click()
        expect(visit.page.get_by_role("heading", level=2)).to_have_text(["homes"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_list_without_scrolling_sideways(
    browser: Browser, store: ModelStore, homes: ModelPackage, flowers: ModelPackage, scheme: str
) -> None:
    put(store, homes)
    put(store, flowers)
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    with (
        in_process(create_app(store, "homes", ["flowers", "n" * 60])) as client,
        visiting(browser, **options) as visit,
    ):
        visit.page.goto(str(client.base_url))
        expect(visit.page.locator(".model")).to_have_count(3)
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
