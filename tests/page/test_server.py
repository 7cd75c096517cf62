"""The page with a server that has no model yet, is gone, asks for a key, or has several models."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.cli import free_port
from support.registry import toy_data as toy
from support.serving.page_visits import (
    NOTHING,
    Visit,
    await_shown,
    input_box,
    predict_one,
    predict_typical,
    rewrite_package,
    shown_value,
    typical_row,
)
from support.serving.servers import in_process, put

from api import create_app
from registry import ModelStore
from registry.package import ModelPackage


def test_a_server_that_has_nothing_yet_is_waited_for(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with in_process(create_app(store, "homes")) as client:
        visit.page.goto(str(client.base_url))
        expect(visit.page.locator("#news")).to_contain_text("nothing has been promoted yet")
        put(store, homes)
        expect(visit.page.locator("#number")).not_to_have_text(NOTHING)
        expect(visit.page.locator("#news")).to_be_empty()
        expect(visit.page.locator("#verdict")).to_contain_text("no history of promotions")


def test_a_server_that_went_away_is_asked_again(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    put(store, homes)
    port = free_port()
    with in_process(create_app(store, "homes"), port=port) as client:
        page = visit.open(client)
        before = shown_value(page)
    input_box(page, "size").fill("55")
    expect(page.locator("#trouble")).to_have_text("The server does not answer")
    assert shown_value(page) == before
    with in_process(create_app(store, "homes"), port=port):
        await_shown(page, predict_typical(homes, size=55.0))
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_key_is_asked_for_and_sent(
    visit: Visit, store: ModelStore, homes: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("opensesame")
    put(store, homes)
    with in_process(create_app(store, "homes", api_key=tmp_path / "key")) as client:
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
        page = visit.open(client, "/models/flowers")
        expect(page.get_by_role("heading", level=1)).to_have_text("flowers")
        page.get_by_label("Model", exact=True).select_option("homes")
        expect(page.get_by_role("heading", level=1)).to_have_text("homes")
        input_box(page, "size").fill("88")
        await_shown(page, predict_typical(homes, size=88.0))
        input_box(page, "size").fill("")
        expect(input_box(page, "size")).to_have_attribute("aria-invalid", "true")
        expect(page).to_have_url(f"{client.base_url}/models/homes")
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("flowers")
        page.goto(f"{client.base_url}?model=homes")
        expect(page.get_by_role("heading", level=1)).to_have_text("homes")


@pytest.mark.parametrize("classes", [(False, True), (-1, 10)])
def test_classes_that_are_no_texts_are_shown_with_their_shares(
    visit: Visit, store: ModelStore, flowers: ModelPackage, tmp_path: Path, classes: tuple[int, ...]
) -> None:
    frame = toy.flowers().assign(
        kind=lambda table: [classes[kind == "b"] for kind in table["kind"]]
    )
    data = toy.dataset(tmp_path / "data", frame, name="flowers")
    package = toy.package(data, tmp_path / "package", toy.CAREFUL)
    put(store, flowers)
    put(store, rewrite_package(package, tmp_path / "renamed", name="others"))
    with in_process(create_app(store, "flowers", ["others"])) as client:
        page = visit.open(client, "?model=others")
        expect(page.get_by_role("heading", level=1)).to_have_text("others")
        shares = predict_one(package, typical_row(package))
        expect(page.locator(".bars .class")).to_have_text([str(name) for name in classes])
        expect(page.locator(".bars .share")).to_have_text(
            [f"{share * 100:.1f} %" for share in shares]
        )
        expect(page.locator("#number")).to_have_text(str(classes[int(shares.argmax())]))
        expect(page.locator("#whatif-chart polyline")).to_have_count(1)
