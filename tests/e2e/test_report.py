"""The report in a real browser without a network: light and dark, wide and narrow."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support.cli import tunegate
from support.katib.experiments import shell_command
from support.katib.runs import running_engine
from support.patience import patience

SPACE = {
    "learning_rate": ("double", {"min": "0.0001", "max": "1", "distribution": "logUniform"}),
    "depth": ("int", {"min": "1", "max": "12"}),
    "kind": ("categorical", {"list": ["linear", "poly", "rbf"]}),
    "batch": ("discrete", {"list": ["16", "32", "64"]}),
}
FEW_FAIL = shell_command(
    "[ ${trialParameters.depth} -gt 9 ] && exit 3; echo mse=${trialParameters.learning_rate}"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("state")
    with running_engine(state, *FEW_FAIL, parameters=SPACE, maxTrialCount=16) as (
        process,
        _,
    ):  # the browser has this one's loop
        assert process.wait(patience(60)) == 0
    target = state / "report.html"
    assert tunegate("report", "--state", state, "--output", target).returncode == 0
    return target


def opened(browser: Browser, report: Path, width: int, scheme: str) -> tuple[Page, list[str]]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )  # type: ignore[arg-type] # light or dark
    page = context.new_page()
    wrong = list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: wrong.append(request.url) if not request.url.startswith("file:") else None,
    )
    page.goto(report.as_uri())
    page.wait_for_selector("body[data-drawn]", timeout=1000 * patience(60))
    return page, wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_all_figures_are_drawn_and_fit(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    page, wrong = opened(browser, report, width, scheme)
    assert page.locator(".figure .main-svg").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for title in ("learning_rate (log)", "depth", "kind", "batch", "mse"):
        assert page.locator(".figure .annotation-text", has_text=title).count() >= 1
    assert page.locator(".figure .scatterlayer path.point").count() > 16
    assert wrong == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_in_figures_can_be_read(browser: Browser, report: Path, scheme: str) -> None:
    page, _ = opened(browser, report, 1100, scheme)
    text = page.evaluate("getComputedStyle(document.querySelector('.figure .xtick text')).fill")
    assert text == page.evaluate("getComputedStyle(document.body).color")
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    page.wait_for_function(
        "before => getComputedStyle(document.querySelector('.figure .xtick text')).fill !== before",
        arg=text,
    )
    changed = page.evaluate(
        "getComputedStyle(document.querySelector('.figure .annotation-text')).fill"
    )
    assert changed == page.evaluate("getComputedStyle(document.body).color")
    page.context.close()


def test_narrow_parallel_coordinates_scroll_by_themselves(browser: Browser, report: Path) -> None:
    page, _ = opened(browser, report, 360, "light")
    assert (
        page.evaluate(
            "[...document.querySelectorAll('.plot')]"
            ".filter(p => p.scrollWidth > p.clientWidth).length"
        )
        == 1
    )
    page.context.close()
