"""A volume that is really full or really read-only: nothing changes, and later the same command works."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.promotion.promotions import Plant, passed
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


def plant_on(volume: Path, ledger: Path) -> Plant:
    """Return a plant whose store alone is on this volume."""
    plant = Plant(ledger)
    plant.store = ModelStore(volume / "store")
    return plant


def test_a_full_volume_stops_a_promotion_before_the_ledger_hears_of_it(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        plant = plant_on(volume, tmp_path)
        plant.promoter().promote(a, passed(a, None))
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left") as raised:
            plant.promoter().promote(b, passed(b, a))
        assert "free some space" in raised.value.hint
        assert plant.states() == ["live"]
        assert [path.name for path in (plant.store.root / "models").iterdir()] == [a.digest]
        plant.assert_settled(a)
        ballast.unlink()
        plant.promoter().promote(b, passed(b, a))
        plant.assert_settled(b)


def test_a_volume_too_full_for_the_pointer_reverts_the_promotion(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        plant = plant_on(volume, tmp_path)
        plant.promoter().promote(a, passed(a, None))
        plant.store.add(b)
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left"):
            plant.promoter().promote(b, passed(b, a))
        assert plant.states() == ["live", "reverted"]
        assert plant.smoke.asked == [a.digest]
        plant.assert_settled(a)
        ballast.unlink()
        plant.promoter().promote(b, passed(b, a))
        plant.assert_settled(b)


def test_a_volume_too_full_for_a_first_pointer_leaves_none(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=256) as volume:
        plant = plant_on(volume, tmp_path)
        plant.store.add(toys[0])
        plant.store.pointer_path("toy").parent.mkdir()
        fill(volume)
        with pytest.raises(StoreError):
            plant.promoter().promote(toys[0], passed(toys[0], None))
        assert plant.states() == ["reverted"]
        plant.assert_settled(None)


@pytest.mark.parametrize("copied", [False, True])
def test_a_read_only_volume_changes_nothing(
    tmp_path: Path,
    toys: list[ModelPackage],
    copied: bool,  # noqa: FBT001
) -> None:
    a, b, _ = toys
    plant = plant_on(tmp_path / "volume", tmp_path)
    plant.promoter().promote(a, passed(a, None))
    if copied:
        plant.store.add(b)
    with frozen(tmp_path / "volume"):
        with pytest.raises(StoreError, match="cannot write"):
            plant.promoter().promote(b, passed(b, a))
        plant.assert_settled(a)
    plant.promoter().promote(b, passed(b, a))
    plant.assert_settled(b)


def test_a_read_only_volume_leaves_what_crashed_in_flight_until_it_can_be_undone(
    tmp_path: Path, toys: list[ModelPackage]
) -> None:
    a, b, _ = toys
    plant = plant_on(tmp_path / "volume", tmp_path)
    plant.promoter().promote(a, passed(a, None))
    plant.store.add(b)
    plant.ledger.create(
        plant.ledger.history("toy")[0].promotion.replace(number=2, previous=1, sha256=b.digest)
    )
    with frozen(tmp_path / "volume"):
        with pytest.raises(StoreError):
            plant.promoter().repair("toy", force=True)
        assert plant.states() == ["live", "in flight"]
    plant.promoter().repair("toy", force=True)
    assert plant.states() == ["live", "reverted"]
    plant.assert_settled(a)


def test_what_is_in_production_can_be_read_from_a_read_only_volume(tmp_path: Path) -> None:
    package = tiny(tmp_path / "toy", low=2.0)
    plant = plant_on(tmp_path / "volume", tmp_path)
    plant.promoter().promote(package, passed(package, None))
    with frozen(tmp_path / "volume"):
        assert plant.promoter().repair("toy") == []
        plant.assert_settled(package)
