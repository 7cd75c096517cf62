"""Packages whose pages are tested, and a browser tab."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser
from support.registry import toy_data as toy
from support.serving.page_visits import HOSTILE, Visit, rewrite_package, visiting

from registry import ModelStore
from registry.package import Draft, ModelPackage, load_package, write_package


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A regression with intervals: a number, a number that may be missing, a category, a flag."""
    folder = tmp_path_factory.mktemp("homes")
    package = toy.package(
        toy.dataset(folder / "data", toy.homes()), folder / "homes-good", toy.GOOD
    )
    rng = np.random.default_rng(0)
    observed = rng.uniform(0, 30, 50)
    residuals = np.column_stack([observed + rng.normal(0, 1, 50), observed])
    interval = {"coverage": 0.9, "half_width": 2.0, "measured": 0.88}
    return rewrite_package(package, folder / "told", residuals=residuals, interval=interval)


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder = tmp_path_factory.mktemp("flowers")
    data = toy.dataset(folder / "data", toy.flowers(), name="flowers")
    package = toy.package(data, folder / "flowers-good", toy.CAREFUL)
    residuals = np.array([[0, 0, 0.9], [0, 0, 0.95], [1, 0, 0.5], [1, 1, 0.8], [2, 2, 1.0]])
    return rewrite_package(package, folder / "told", residuals=residuals)


@pytest.fixture(scope="session")
def hostile(homes: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """Names and categories that would be markup, or very long, if they were not text."""
    forest = homes.forest
    manifest = homes.manifest.to_dict()
    size, age, region, garden = manifest["columns"]
    size["name"] = HOSTILE
    garden["name"] = "a_very_long_name_without_any_place_to_break_" * 3
    categories = sorted([HOSTILE, "'; alert(1) //", "x" * 90])
    region["categories"] = categories
    region["typical"] = categories[1]
    columns = [size, age, region, garden]
    row = {column["name"]: column["typical"] for column in columns}
    fields = {
        **manifest,
        "columns": columns,
        "reference": [],
        "target": HOSTILE,
        "parameters": {HOSTILE: HOSTILE},
    }
    folder = tmp_path_factory.mktemp("hostile") / "package"
    write_package(folder, Draft(fields, forest, homes.rows, [row], HOSTILE, homes.residuals))
    return load_package(folder)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    with visiting(browser, viewport={"width": 1280, "height": 900}) as found:
        yield found
