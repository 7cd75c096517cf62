"""Promotions with a real server behind them: what it answers decides."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.patience import patience
from support.promotion.faults import promoter_around
from support.promotion.promotions import Plant, passed
from support.registry.package_variants import tiny
from support.serving.servers import fake, honest, running

from promote import SmokeFailed
from promote.smoke import smoke
from registry.package import ModelPackage


def test_a_promotion_against_a_real_server_is_smoke_tested_and_goes_live(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    plant = Plant(tmp_path)
    with running(plant.store, "toy") as server:
        test = partial(smoke, server.url, timeout=patience(10), max_latency=patience(5))
        over = None
        for package in toys:
            entry = plant.promoter(smoke=test).promote(package, passed(package, over))
            assert entry.outcome
            assert entry.outcome.note == f"smoke test passed at {server.url}"
            over = package
        plant.assert_settled(toys[2])
        assert server.version()["promotion"] == 3


def test_a_promotion_that_a_real_server_refuses_is_reverted_and_the_old_model_never_stopped(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    """The package is damaged on the volume after it was verified and before the server reads it."""
    plant = Plant(tmp_path)
    with running(plant.store, "toy") as server:
        test = partial(smoke, server.url, timeout=patience(1), max_latency=patience(5))
        plant.promoter(smoke=test).promote(toys[0], passed(toys[0], None))

        def around(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
            result = effect()
            if name == "add":
                (plant.store.model(toys[1].digest) / "model.npz").write_bytes(b"damaged")
            return result

        with pytest.raises(SmokeFailed):
            promoter_around(plant, around, smoke=test).promote(toys[1], passed(toys[1], toys[0]))
        assert server.client.post("/predict", json={"x": 0.25}).json()["predicted_y"] == 1.0
        plant.assert_settled(toys[0])
        server.await_version(promotion=1, refused=None, swaps=1)


def test_a_service_that_cannot_be_reached_reverts_a_first_promotion(tmp_path: Path) -> None:
    plant = Plant(tmp_path)
    package = tiny(tmp_path / "toy")
    with fake(honest(package)) as url:
        pass
    with pytest.raises(SmokeFailed, match="serves nothing"):
        plant.promoter(smoke=lambda candidate: smoke(url, candidate, timeout=0.1)).promote(
            package, passed(package, None)
        )
    plant.assert_settled(None)
