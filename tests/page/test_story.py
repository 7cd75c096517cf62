"""The model's story: its figures' sources, its verdict, its promotions; all text, never markup."""

from pathlib import Path

from playwright.sync_api import expect
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.serving.page_visits import (
    HOSTILE,
    Visit,
    await_shown,
    input_box,
    predict_typical,
    rewrite_package,
)
from support.serving.servers import await_true, in_process, serving

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage


def test_scores_say_where_they_are_from(visit: Visit, tmp_path: Path, homes: ModelPackage) -> None:
    site = PromotionSite(tmp_path, model="homes")
    site.promoter().promote(homes, promoting_verdict(homes, None))
    with in_process(create_app(site.store, "homes")) as client:
        page = visit.open(client)
        mse = homes.manifest.cross_validation.score
        score = f"{mse:.4g} (RMSE {mse**0.5:.4g})"
        expect(page.locator("#figures")).to_contain_text(
            "mean squared error in the search, mean of"
        )
        expect(page.locator("#verdict")).to_contain_text(
            f"mean squared error {score} in the search."
        )
        told = PromotionSite(tmp_path, model="homes").store.history("homes")
        assert told
        other = told.entries[0].replace(score=1.25)
        site.store.write_history(told.replace(entries=(other,)))
        visit.open(client)
        expect(page.locator("#verdict")).to_contain_text(
            "mean squared error 1.25 (RMSE 1.118) in the gate, on fresh folds."
        )


def test_every_out_of_fold_prediction_is_drawn(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        assert homes.residuals is not None
        expect(page.locator(".cloud circle")).to_have_count(len(homes.residuals))
        expect(
            page.get_by_role(
                "img",
                name="Predicted against observed price for 50 of 202 training rows, chosen by hash",
            )
        ).to_be_visible()
        assert page.locator("#text").text_content() == f"# card\n{HOSTILE}"


def test_a_promotion_is_noticed_and_what_was_entered_stays(
    visit: Visit, tmp_path: Path, homes: ModelPackage
) -> None:
    better = rewrite_package(homes, tmp_path / "better", seed=99)
    site = PromotionSite(tmp_path, model="homes")
    site.promoter().promote(homes, promoting_verdict(homes, None))
    with in_process(create_app(site.store, "homes")) as client:
        page = visit.open(client)
        input_box(page, "size").fill("66.5")
        site.promoter().promote(
            better,
            promoting_verdict(better, homes, reasons=("better than the champion by both keys",)),
        )
        await_true(lambda: client.get("/version").json()["promotion"] == 2, "the server to follow")
        expect(
            page.get_by_role("status").filter(has_text="Promotion 2 of homes is live")
        ).to_be_visible()
        page.get_by_role("button", name="Show it").click()
        expect(page.locator("#identity")).to_have_text(
            f"promotion 2 · package {better.digest[:12]}"
        )
        assert input_box(page, "size").input_value() == "66.5"
        await_shown(page, predict_typical(better, size=66.5))
        expect(page.locator("#history li")).to_have_count(2)
        expect(page.locator("#history [aria-current=true]")).to_contain_text("Promotion 2")
        expect(page.locator("#verdict")).to_contain_text("better than the champion by both keys")
        expect(page.locator("#news")).to_be_empty()


def test_markup_in_names_is_text(visit: Visit, tmp_path: Path, hostile: ModelPackage) -> None:
    site = PromotionSite(tmp_path, model="homes")
    site.promoter().promote(hostile, promoting_verdict(hostile, None, reasons=(HOSTILE,)))
    with in_process(create_app(site.store, "homes")) as client:
        page = visit.open(client)
        input_box(page, HOSTILE).fill("100")
        input_box(page, "region").select_option(label=HOSTILE)
        await_shown(page, predict_typical(hostile, region=HOSTILE, **{HOSTILE: 100.0}))
        expect(page.get_by_role("heading", name=f"{HOSTILE} along region")).to_be_visible()
        expect(page.locator("#verdict .lead")).to_have_text(HOSTILE)
        assert page.locator("#text").text_content() == HOSTILE
        assert page.locator("img[src]").count() == 0
        assert page.title() == "homes · tunegate"
