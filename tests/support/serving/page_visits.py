"""Visits to the page in a browser, and what people find and do there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect

from registry.package import Draft, ModelPackage, load_package, write_package
from support.patience import patience
from support.serving.servers import await_true

PATIENCE = 1000 * patience(60)  # ms
NOTHING = "\N{EN DASH}"
HOSTILE = "<img src=x onerror=\"document.title='pwned'\">"


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

    def seen(self, request: Request) -> None:
        self.requests.append(request)

    def sent(self, path: str) -> list[Any]:
        """Return the bodies of requests to this path."""
        self.page.evaluate("0")  # events are taken in between calls
        return [
            json.loads(r.post_data or "null")
            for r in self.requests
            if r.url.split("?")[0].endswith(path)
        ]


@contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - new_context's own, each of its type
    """Open a tab; nothing may come from another server, be refused by the policy, or fail in a script."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    visit = Visit(context.new_page())
    visit.page.on("request", visit.seen)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on(
        "console", lambda said: visit.complaints.append(said.text) if said.type == "error" else None
    )
    yield visit
    asked = {
        request.url.split("/")[2]
        for request in visit.requests
        if not request.url.startswith("about:")
    }
    assert asked <= {visit.page.url.split("/")[2]}, asked
    complaints = [text for text in visit.complaints if "Failed to load resource" not in text]
    assert complaints == [], complaints
    context.close()


def shown(page: Page) -> str:
    """Return the prediction in full precision."""
    return page.locator("#number").get_attribute("value") or ""


def await_shown(page: Page, expected: float) -> None:
    await_true(lambda: float(shown(page)) == expected, f"a prediction of {expected}")


def predicted(package: ModelPackage, row: dict[str, Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = package.predict({name: [value] for name, value in row.items()})[0]
    return found


def box(page: Page, name: str) -> Locator:
    return page.get_by_label(name, exact=True)


def typical(package: ModelPackage) -> dict[str, Any]:
    return {column.name: column.typical for column in package.manifest.columns}


def missing(page: Page, name: str) -> Locator:
    return page.get_by_label(f"missing: {name}")


def rewritten(
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
