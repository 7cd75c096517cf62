"""Out-of-fold losses that an earlier command has computed: the same verdict without the fits."""

from pathlib import Path

import numpy as np
import pytest
from support.registry import toy_data as toy

from promote import GatePolicy
from promote.gate import judge
from promote.gate_input import GateInput
from registry.package import ModelPackage
from trainer.dataset import Dataset
from tunegate.promotion.evaluation import make_evaluation
from tunegate.promotion.loss_cache import LossCache


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return toy.dataset(tmp_path_factory.mktemp("data"), toy.homes())


@pytest.fixture(scope="module")
def models(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[ModelPackage]:
    folder = tmp_path_factory.mktemp("models")
    recipes = {"good": toy.GOOD, "poor": toy.POOR}
    return [toy.package(data, folder / name, recipe) for name, recipe in recipes.items()]


def judged(data: Dataset, models: list[ModelPackage], cache: LossCache) -> tuple[bytes, int]:
    """Return the verdict, and how many fits it took."""
    fits: list[int] = []
    view = make_evaluation(data, cpus=1, on_fold=lambda: fits.append(1), cache=cache)
    return judge(GateInput(*models, view), GatePolicy()).canonical(), len(fits)


def test_a_second_command_gives_the_same_verdict_without_a_fit(
    data: Dataset, models: list[ModelPackage], tmp_path: Path
) -> None:
    cache = LossCache(tmp_path / "losses")
    verdict, fits = judged(data, models, cache)
    assert fits >= 10
    assert judged(data, models, cache) == (verdict, 0)
    path = min((tmp_path / "losses").iterdir())
    path.write_bytes(path.read_bytes()[:-9])  # a damaged file is computed once more
    assert judged(data, models, cache) == (verdict, 5)
    assert judged(data, models, LossCache(path / "no folder")) == (verdict, fits)


def test_other_data_recipes_and_seeds_are_other_questions(tmp_path: Path) -> None:
    cache = LossCache(tmp_path)
    asked = {"recipe": "a", "data": "1", "seed": 1000}
    cache.keep(asked, np.array([0.5, np.nan]))
    found = cache.find(asked, 2)
    assert found is not None
    assert found.tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    for other in ({"recipe": "b"}, {"data": "2"}, {"seed": 1001}):
        assert cache.find({**asked, **other}, 2) is None
    assert cache.find(asked, 3) is None
