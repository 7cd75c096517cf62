import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.promotion.crashes import kill_at_every_point
from support.promotion.races import run_race
from support.registry.packages import FILES, draft, write_houses
from support.registry.volumes import fill, largest_file, read_only, tiny_volume

from registry import ModelStore, PackageError, Pointer, StoreError
from registry.package import ModelPackage, load_package, write_package
from registry.record import InvalidRecord

FIRST, SECOND = (Pointer(model="houses", number=n, sha256=f"{n:064x}") for n in (1, 2))


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def stored_package(store: ModelStore) -> ModelPackage:
    write_houses(store.trial("houses-1"))
    return load_package(store.trial("houses-1"))


def trial_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_package_is_added_under_its_own_digest(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    assert store.add(stored_package) == store.root / "models" / stored_package.digest
    assert store.open(stored_package.digest).digest == stored_package.digest


def test_a_package_outlives_its_trial(store: ModelStore, stored_package: ModelPackage) -> None:
    store.add(stored_package)
    assert store.prune_trials(keep=[]) == ["houses-1"]
    assert store.open(stored_package.digest).digest == stored_package.digest


def test_adding_twice_changes_nothing(store: ModelStore, stored_package: ModelPackage) -> None:
    inode = store.add(stored_package).stat().st_ino
    assert store.add(stored_package).stat().st_ino == inode
    assert trial_names(store.root / "models") == [stored_package.digest]


def test_adding_mends_a_damaged_copy(store: ModelStore, stored_package: ModelPackage) -> None:
    (store.add(stored_package) / "model.npz").write_bytes(b"")
    store.add(stored_package)
    assert store.open(stored_package.digest).digest == stored_package.digest


def test_a_copy_that_does_not_verify_is_refused_and_removed(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    (stored_package.path / "model.npz").write_bytes(b"changed after it was verified")
    with pytest.raises(PackageError, match="sha256"):
        store.add(stored_package)
    assert trial_names(store.root / "models") == []


def test_a_trial_that_was_deleted_meanwhile_is_refused(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    store.prune_trials(keep=[])
    with pytest.raises(PackageError, match="No such file"):
        store.add(stored_package)


def test_only_the_packages_own_files_are_added(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    (stored_package.path / "core.dump").write_bytes(bytes(1000))
    (stored_package.path / "cache").mkdir()
    assert trial_names(store.add(stored_package)) == sorted(FILES)


def test_a_copy_for_other_servers_is_added_too(store: ModelStore) -> None:
    write_package(store.trial("houses-2"), replace(draft(), onnx=b"a copy"))
    stored_package = load_package(store.trial("houses-2"))
    assert trial_names(store.add(stored_package)) == sorted([*FILES, "model.onnx"])
    assert store.open(stored_package.digest).files == stored_package.files


def test_several_processes_may_add_the_same_package(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    results = run_race("add", stored_package.path, processes=4, rounds=25)
    assert results == [["added"] * 4] * 25


def test_a_digest_that_was_never_added_cannot_be_opened(store: ModelStore) -> None:
    with pytest.raises(PackageError, match="No such file"):
        store.open("0" * 64)


def test_a_package_under_anothers_digest_cannot_be_opened(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    store.add(stored_package).rename(store.model("0" * 64))
    with pytest.raises(PackageError, match="digest is"):
        store.open("0" * 64)


def test_a_full_volume_takes_no_package_and_keeps_what_it_has(
    tmp_path: Path, stored_package: ModelPackage
) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=64) as volume:
        store = ModelStore(volume)
        store.point(FIRST)
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left on device"):
            store.add(stored_package)
        assert trial_names(volume / "models") == []
        assert store.pointer("houses") == FIRST
        ballast.unlink()
        assert store.open(store.add(stored_package).name).digest == stored_package.digest


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
    store: ModelStore, stored_package: ModelPackage
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
        ModelStore(place).pointer("houses") for place in kill_at_every_point(scenario, tmp_path)
    )
    assert all(pointer in (FIRST, after) for pointer in killed)
    assert FIRST in killed
    assert finished == after


def test_pruning_keeps_what_is_named_and_reports_the_rest(store: ModelStore) -> None:
    for name in ("houses-1", "houses-2", "houses-3"):
        write_houses(store.trial(name))
    assert store.prune_trials(keep=["houses-2", "unknown"]) == ["houses-1", "houses-3"]
    assert trial_names(store.root / "trials") == ["houses-2"]


def test_pruning_a_store_without_trials_does_nothing(store: ModelStore) -> None:
    assert store.prune_trials(keep=[]) == []


def test_what_could_not_be_pruned_is_not_reported(
    store: ModelStore, stored_package: ModelPackage
) -> None:
    with read_only(store.root / "trials"):
        assert store.prune_trials(keep=[]) == []
    assert trial_names(store.root / "trials") == ["houses-1"]


def test_a_folder_that_cannot_be_listed_keeps_its_scratch_and_stops_nobody(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.root / "models" / ".half").mkdir(parents=True)
    os.utime(store.root / "models" / ".half", (0, 0))

    def broken(*_: object) -> list[Path]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "glob", broken)
        assert store.remove_scratch() == 0
    assert store.remove_scratch() == 1  # once the folder can be listed


def test_models_of_a_folder_that_cannot_be_read_are_not_none(tmp_path: Path) -> None:
    assert ModelStore(tmp_path / "empty").models() == []
    with pytest.raises(StoreError, match="too long"):
        ModelStore(tmp_path / ("x" * 300)).models()
