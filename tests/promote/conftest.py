"""Fitted packages, made once a session."""

from pathlib import Path

import pytest
from support.promotion.gate_cases import GateCase, make_gate_case
from support.promotion.promotions import PromotionSite
from support.registry import toy_data as toy
from support.registry.package_variants import tiny

from registry.package import ModelPackage


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> GateCase:
    folder = tmp_path_factory.mktemp("homes")
    return make_gate_case(folder, toy.dataset(folder / "data", toy.homes()), toy.GOOD, toy.POOR)


@pytest.fixture(scope="session", params=["log_loss", "accuracy"])
def flowers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GateCase:
    folder = tmp_path_factory.mktemp("flowers")
    data = toy.dataset(folder / "data", toy.flowers(), name="flowers", metric=request.param)
    return make_gate_case(folder, data, toy.CAREFUL, toy.COARSE)


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> list[ModelPackage]:
    """Three packages of one model, a, b and c; each answers something else."""
    folder = tmp_path_factory.mktemp("toys")
    return [
        tiny(folder / f"toy-{name}", low=low) for name, low in (("a", 1.0), ("b", 3.0), ("c", 5.0))
    ]


@pytest.fixture
def site(tmp_path: Path) -> PromotionSite:
    return PromotionSite(tmp_path)
