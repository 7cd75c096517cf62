"""A volume that is full or read-only: nothing changes, and later the same command works."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.promotion.promotions import PromotionSite, promoting_verdict
from support.registry.package_variants import tiny
from support.registry.volumes import fill, read_only, tiny_volume

from registry import ModelStore, StoreError
from registry.package import ModelPackage


@contextmanager
def frozen(volume: Path) -> Iterator[None]:
    """Refuse all writes to the volume while the block runs."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a volume read-only")
    with read_only(volume):
        yield


def site_on(volume: Path, ledger: Path) -> PromotionSite:
    """Return a site whose store alone is on this volume."""
    site = PromotionSite(ledger)
    site.store = ModelStore(volume / "store")
    return site


def test_a_full_volume_stops_a_promotion_before_the_ledger_hears_of_it(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        site = site_on(volume, tmp_path)
        site.promoter().promote(a, promoting_verdict(a, None))
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left") as raised:
            site.promoter().promote(b, promoting_verdict(b, a))
        assert "free some space" in raised.value.hint
        assert site.states() == ["live"]
        assert [path.name for path in (site.store.root / "models").iterdir()] == [a.digest]
        site.assert_settled(a)
        ballast.unlink()
        site.promoter().promote(b, promoting_verdict(b, a))
        site.assert_settled(b)


def test_a_volume_too_full_for_the_pointer_reverts_the_promotion(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        site = site_on(volume, tmp_path)
        site.promoter().promote(a, promoting_verdict(a, None))
        site.store.add(b)
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left"):
            site.promoter().promote(b, promoting_verdict(b, a))
        assert site.states() == ["live", "reverted"]
        assert site.smoke.asked == [a.digest]
        site.assert_settled(a)
        ballast.unlink()
        site.promoter().promote(b, promoting_verdict(b, a))
        site.assert_settled(b)


def test_a_volume_too_full_for_a_first_pointer_leaves_none(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        site = site_on(volume, tmp_path)
        site.store.add(toys[0])
        site.store.pointer_path("toy").parent.mkdir()
        fill(volume)
        with pytest.raises(StoreError):
            site.promoter().promote(toys[0], promoting_verdict(toys[0], None))
        assert site.states() == ["reverted"]
        site.assert_settled(None)


@pytest.mark.parametrize("copied", [False, True])
def test_a_read_only_volume_changes_nothing(
    tmp_path: Path,
    toys: list[ModelPackage],
    copied: bool,  # noqa: FBT001
) -> None:
    a, b, _ = toys
    site = site_on(tmp_path / "volume", tmp_path)
    site.promoter().promote(a, promoting_verdict(a, None))
    if copied:
        site.store.add(b)
    with frozen(tmp_path / "volume"):
        with pytest.raises(StoreError, match="cannot write"):
            site.promoter().promote(b, promoting_verdict(b, a))
        site.assert_settled(a)
    site.promoter().promote(b, promoting_verdict(b, a))
    site.assert_settled(b)


def test_a_read_only_volume_leaves_what_crashed_in_flight_until_it_can_be_undone(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    site = site_on(tmp_path / "volume", tmp_path)
    site.promoter().promote(a, promoting_verdict(a, None))
    site.store.add(b)
    site.ledger.create(
        site.ledger.history("toy")[0].promotion.replace(number=2, previous=1, sha256=b.digest)
    )
    with frozen(tmp_path / "volume"):
        with pytest.raises(StoreError):
            site.promoter().repair("toy", force=True)
        assert site.states() == ["live", "in flight"]
    site.promoter().repair("toy", force=True)
    assert site.states() == ["live", "reverted"]
    site.assert_settled(a)


def test_what_is_in_production_can_be_read_from_a_read_only_volume(tmp_path: Path) -> None:
    package = tiny(tmp_path / "toy", low=2.0)
    site = site_on(tmp_path / "volume", tmp_path)
    site.promoter().promote(package, promoting_verdict(package, None))
    with frozen(tmp_path / "volume"):
        assert site.promoter().repair("toy") == []
        site.assert_settled(package)
