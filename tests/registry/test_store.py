from dataclasses import replace
from pathlib import Path

import pytest
from support.promotion.crashes import killed_anywhere
from support.promotion.races import at_once
from support.registry.packages import FILES, draft, write
from support.registry.volumes import fill, largest_file, read_only, tiny_volume

from registry import ModelStore, PackageError, Pointer, StoreError
from registry.package import ModelPackage, load_package, write_package
from registry.record import InvalidRecord

FIRST, SECOND = (Pointer(model="houses", number=n, sha256=f"{n:064x}") for n in (1, 2))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def package(store: ModelStore) -> ModelPackage:
    write(store.trial("houses-1"))
    return load_package(store.trial("houses-1"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_package_is_added_under_its_own_digest(store: ModelStore, package: ModelPackage) -> None:
    assert store.add(package) == store.root / "models" / package.digest
    assert store.open(package.digest).digest == package.digest


def test_a_package_outlives_its_trial(store: ModelStore, package: ModelPackage) -> None:
    store.add(package)
    assert store.prune_trials(keep=[]) == ["houses-1"]
    assert store.open(package.digest).digest == package.digest


def test_adding_twice_changes_nothing(store: ModelStore, package: ModelPackage) -> None:
    inode = store.add(package).stat().st_ino
    assert store.add(package).stat().st_ino == inode
    assert names(store.root / "models") == [package.digest]


def test_adding_mends_a_damaged_copy(store: ModelStore, package: ModelPackage) -> None:
    (store.add(package) / "model.npz").write_bytes(b"")
    store.add(package)
    assert store.open(package.digest).digest == package.digest


def test_a_copy_that_does_not_verify_is_refused_and_removed(
    store: ModelStore, package: ModelPackage
) -> None:
    (package.path / "model.npz").write_bytes(b"changed after it was verified")
    with pytest.raises(PackageError, match="sha256"):
        store.add(package)
    assert names(store.root / "models") == []


def test_a_trial_that_was_deleted_meanwhile_is_a_store_error(
    store: ModelStore, package: ModelPackage
) -> None:
    store.prune_trials(keep=[])
    with pytest.raises(StoreError, match="No such file"):
        store.add(package)


def test_only_the_packages_own_files_are_added(store: ModelStore, package: ModelPackage) -> None:
    (package.path / "core.dump").write_bytes(bytes(1000))
    (package.path / "cache").mkdir()
    assert names(store.add(package)) == sorted(FILES)


def test_a_copy_for_other_servers_is_added_too(store: ModelStore) -> None:
    write_package(store.trial("houses-2"), replace(draft(), onnx=b"a copy"))
    package = load_package(store.trial("houses-2"))
    assert names(store.add(package)) == sorted([*FILES, "model.onnx"])
    assert store.open(package.digest).files == package.files


def test_several_processes_may_add_the_same_package(
    store: ModelStore, package: ModelPackage
) -> None:
    results = at_once("add", package.path, processes=4, rounds=25)
    assert results == [["added"] * 4] * 25


def test_a_digest_that_was_never_added_cannot_be_opened(store: ModelStore) -> None:
    with pytest.raises(PackageError, match="No such file"):
        store.open("0" * 64)


def test_a_package_under_anothers_digest_cannot_be_opened(
    store: ModelStore, package: ModelPackage
) -> None:
    store.add(package).rename(store.model("0" * 64))
    with pytest.raises(PackageError, match="digest is"):
        store.open("0" * 64)


def test_a_full_volume_takes_no_package_and_keeps_what_it_has(
    tmp_path: Path, package: ModelPackage
) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=64) as volume:
        store = ModelStore(volume)
        store.point(FIRST)
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left on device"):
            store.add(package)
        assert names(volume / "models") == []
        assert store.pointer("houses") == FIRST
        ballast.unlink()
        assert store.open(store.add(package).name).digest == package.digest


def test_nothing_is_in_production_before_the_first_promotion(store: ModelStore) -> None:
    assert store.pointer("houses") is None


def test_a_pointer_is_followed_once_it_is_set(store: ModelStore) -> None:
    store.point(FIRST)
    store.point(SECOND)
    assert store.pointer("houses") == SECOND
    assert store.pointer("iris") is None


def test_unpointing_leaves_nothing_in_production(store: ModelStore) -> None:
    store.point(FIRST)
    store.unpoint("houses")
    assert store.pointer("houses") is None


def test_unpointing_what_has_no_pointer_changes_nothing(store: ModelStore) -> None:
    store.unpoint("houses")
    assert not store.root.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"model": "houses"}', b"\xff", bytes(100)])
def test_a_damaged_pointer_is_a_store_error_that_names_the_way_out(
    store: ModelStore, content: bytes
) -> None:
    store.point(FIRST)
    store.pointer_path("houses").write_bytes(content)
    with pytest.raises(StoreError, match="not a readable pointer") as refused:
        store.pointer("houses")
    assert "tunegate repair" in refused.value.hint


def test_a_pointer_that_cannot_be_read_is_a_store_error(store: ModelStore) -> None:
    store.pointer_path("houses").mkdir(parents=True)
    with pytest.raises(StoreError, match="not a readable pointer"):
        store.pointer("houses")


@pytest.mark.parametrize("forged", [{"number": 0}, {"sha256": "../../etc"}, {"extra": 1}])
def test_a_pointer_of_another_form_is_refused(forged: dict[str, object]) -> None:
    with pytest.raises(InvalidRecord):
        Pointer.checked({**FIRST.to_dict(), **forged})


def test_a_volume_that_refuses_keeps_the_old_pointer(store: ModelStore) -> None:
    store.point(FIRST)
    with largest_file(10), pytest.raises(StoreError, match="cannot write"):
        store.point(SECOND)
    assert store.pointer("houses") == FIRST


def test_a_read_only_volume_is_a_store_error_for_every_writer(
    store: ModelStore, package: ModelPackage
) -> None:
    store.point(FIRST)
    with read_only(store.root / "pointers"):
        with pytest.raises(StoreError, match="cannot write"):
            store.point(SECOND)
        with pytest.raises(StoreError, match="cannot write"):
            store.unpoint("houses")
        assert store.pointer("houses") == FIRST


@pytest.mark.parametrize(("scenario", "after"), [("point", SECOND), ("unpoint", None)])
def test_a_writer_killed_anywhere_leaves_the_old_pointer_or_the_new(
    tmp_path: Path, scenario: str, after: Pointer | None
) -> None:
    *killed, finished = (
        ModelStore(place).pointer("houses") for place in killed_anywhere(scenario, tmp_path)
    )
    assert all(pointer in (FIRST, after) for pointer in killed)
    assert FIRST in killed
    assert finished == after


def test_pruning_keeps_what_is_named_and_reports_the_rest(store: ModelStore) -> None:
    for name in ("houses-1", "houses-2", "houses-3"):
        write(store.trial(name))
    assert store.prune_trials(keep=["houses-2", "unknown"]) == ["houses-1", "houses-3"]
    assert names(store.root / "trials") == ["houses-2"]


def test_pruning_a_store_without_trials_does_nothing(store: ModelStore) -> None:
    assert store.prune_trials(keep=[]) == []


def test_what_could_not_be_pruned_is_not_reported(store: ModelStore, package: ModelPackage) -> None:
    with read_only(store.root / "trials"):
        assert store.prune_trials(keep=[]) == []
    assert names(store.root / "trials") == ["houses-1"]
