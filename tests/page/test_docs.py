"""Swagger UI at `/docs` in a real browser draws the API and tries a request, without a network."""

from typing import TYPE_CHECKING

from playwright.sync_api import expect
from support.patience import patience
from support.serving.servers import serving

from registry import ModelStore
from registry.package import ModelPackage

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_request_is_tried_from_the_page(
    browser: "Browser", store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(patience(20) * 1000)
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{client.base_url}/docs")
        operation = page.locator("#operations-default-predict_predict_post")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .response").first
        expect(answer).to_contain_text(homes.digest, timeout=patience(20) * 1000)
        assert all(url.startswith((str(client.base_url), "data:")) for url in requested)
        assert not [text for text in refused if "Content Security Policy" in text]
        context.close()
