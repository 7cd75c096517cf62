"""Promotions with a real server behind them: what it answers decides."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.patience import patience
from support.promotion.faults import intercepted_promoter
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import tiny
from support.serving.servers import fake, honest, running

from promote import SmokeFailed
from promote.smoke import smoke_test
from registry.package import ModelPackage


def test_a_promotion_against_a_real_server_is_smoke_tested_and_goes_live(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    site = PromotionSite(tmp_path)
    with running(site.store, "toy") as server:
        test = partial(smoke_test, server.url, timeout=patience(10), max_latency=patience(5))
        over = None
        for package in toys:
            entry = site.promoter(smoke=test).promote(package, promoting_verdict(package, over))
            assert entry.outcome
            assert entry.outcome.note == f"smoke test passed at {server.url}"
            over = package
        site.assert_settled(toys[2])
        assert server.version()["promotion"] == 3


def test_a_promotion_that_a_real_server_refuses_is_reverted_and_the_old_model_never_stopped(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    """The package is damaged on the volume after it was verified and before the server reads it."""
    site = PromotionSite(tmp_path)
    with running(site.store, "toy") as server:
        test = partial(smoke_test, server.url, timeout=patience(1), max_latency=patience(5))
        site.promoter(smoke=test).promote(toys[0], promoting_verdict(toys[0], None))

        def around(name: str, effect: Callable[[], Any]) -> Any:  # noqa: ANN401
            result = effect()
            if name == "add":
                (site.store.model(toys[1].digest) / "model.npz").write_bytes(b"damaged")
            return result

        with pytest.raises(SmokeFailed):
            intercepted_promoter(site, around, smoke=test).promote(
                toys[1], promoting_verdict(toys[1], toys[0])
            )
        assert server.client.post("/predict", json={"x": 0.25}).json()["predicted_y"] == 1.0
        site.assert_settled(toys[0])
        server.await_version(promotion=1, refused=None, swaps=1)


def test_a_service_that_cannot_be_reached_reverts_a_first_promotion(tmp_path: Path) -> None:
    site = PromotionSite(tmp_path)
    package = tiny(tmp_path / "toy")
    with fake(honest(package)) as url:
        pass
    with pytest.raises(SmokeFailed, match="serves nothing"):
        site.promoter(smoke=lambda candidate: smoke_test(url, candidate, timeout=0.1)).promote(
            package, promoting_verdict(package, None)
        )
    site.assert_settled(None)
