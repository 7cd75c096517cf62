"""Packages of a regression and of a classification, fitted once."""

from pathlib import Path

import pytest
from support.registry import toy_data

from registry.package import ModelPackage


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder: Path = tmp_path_factory.mktemp("homes")
    data = toy_data.dataset(folder / "data", toy_data.homes())
    return toy_data.package(data, folder / "package", toy_data.GOOD)


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    folder: Path = tmp_path_factory.mktemp("flowers")
    data = toy_data.dataset(folder / "data", toy_data.flowers(), name="flowers")
    return toy_data.package(data, folder / "package", toy_data.CAREFUL)
