"""Visits to the page in a browser: a tab, and what a visitor finds and does there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
)

from registry.package import Draft, ModelPackage, load_package, write_package
from support.patience import patience
from support.serving.servers import await_true

PATIENCE = 1000 * patience(60)  # ms
NOTHING = "\N{EN DASH}"
HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"


@dataclass
class Visit:
    """A tab, its requests, and the errors that it reported."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, client: httpx.Client, path: str = "") -> Page:
        """Go to the page, and wait for its first prediction."""
        self.page.goto(f"{client.base_url}{path}")
        expect(self.page.locator("#number")).not_to_have_text(NOTHING)
        return self.page

    def note_request(self, request: Request) -> None:
        self.requests.append(request)

    def note_message(self, message: ConsoleMessage) -> None:
        """Keep a message of the console if it is an error."""
        if message.type == "error":
            self.errors.append(message.text)

    def sent(self, path: str) -> list[Any]:
        """Return the bodies of requests to this path."""
        self.page.evaluate("0")  # events are taken in between calls
        return [
            json.loads(r.post_data or "null")
            for r in self.requests
            if r.url.split("?")[0].endswith(path)
        ]


@contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - new_context's
    """Open a tab; no script may fail, and nothing may load from elsewhere or against the policy."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    visit = Visit(context.new_page())
    visit.page.on("request", visit.note_request)
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.page.on("console", visit.note_message)
    yield visit
    urls = [each.url for each in visit.requests if not each.url.startswith("about:")]
    hosts = {url.split("/")[2] for url in urls}
    assert hosts <= {visit.page.url.split("/")[2]}, hosts
    errors = [text for text in visit.errors if "Failed to load resource" not in text]
    assert errors == [], errors
    context.close()


def shown_value(page: Page) -> str:
    """Return the prediction in full precision."""
    return page.locator("#number").get_attribute("value") or ""


def await_shown(page: Page, expected: float) -> None:
    await_true(lambda: float(shown_value(page)) == expected, f"a prediction of {expected}")


def predict_one(package: ModelPackage, row: dict[str, Any]) -> NDArray[np.float64]:
    """Return the package's prediction of a row, float64 (n_outputs,)."""
    found: NDArray[np.float64] = package.predict({name: [value] for name, value in row.items()})[0]
    return found


def predict_typical(package: ModelPackage, **changes: object) -> float:
    """Return a regression's prediction of its typical row with these changes."""
    return float(predict_one(package, {**typical_row(package), **changes})[0])


def input_box(page: Page, name: str) -> Locator:
    return page.get_by_label(name, exact=True)


def typical_row(package: ModelPackage) -> dict[str, Any]:
    return {column.name: column.typical for column in package.manifest.columns}


def rewrite_package(
    package: ModelPackage,
    folder: Path,
    *,
    residuals: NDArray[np.float64] | None = None,
    **manifest: object,
) -> ModelPackage:
    """Write a copy with other residuals and manifest fields, and a card that would be markup."""
    fields = {**package.manifest.to_dict(), **manifest}
    card = f"# card\n{HOSTILE}"
    write_package(
        folder, Draft(fields, package.forest, package.rows, package.golden.rows, card, residuals)
    )
    return load_package(folder)
