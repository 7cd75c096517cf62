import errno
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from support.promotion.crashes import killed_anywhere
from support.registry.volumes import fill, largest_file, read_only, tiny_volume

from registry import StoreError
from registry.atomic_files import publish_folder, write_atomic

Kind = Callable[[int], bool]
OLD = b"old" * 1000
NEW = b"new" * 1000


def fill_with(content: bytes, folder: Path) -> None:
    (folder / "one").write_bytes(content)
    (folder / "two").write_bytes(content)


def held(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_atomic(tmp_path / "file", OLD)
    return tmp_path / "file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish_folder(tmp_path / "folder", partial(fill_with, OLD))
    return tmp_path / "folder"


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "file", NEW)
    assert (tmp_path / "a" / "b" / "file").read_bytes() == NEW


def test_a_file_is_replaced_and_nothing_stays_beside_it(file: Path) -> None:
    write_atomic(file, NEW)
    assert file.read_bytes() == NEW
    assert list(file.parent.iterdir()) == [file]


def test_a_file_can_be_read_by_a_server_under_another_user(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_reader_sees_the_old_bytes_or_the_new_never_a_part(file: Path) -> None:
    def write() -> None:
        for content in [NEW, OLD] * 50:
            write_atomic(file, content)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = {file.read_bytes()}
        while not writing.done():
            seen.add(file.read_bytes())
    writing.result()
    assert seen <= {OLD, NEW}


def test_a_write_that_fails_leaves_the_old_file_and_says_why(file: Path) -> None:
    with (
        largest_file(100),
        pytest.raises(StoreError, match=f"cannot write {file}: File too large") as refused,
    ):
        write_atomic(file, NEW)
    assert "nothing was changed" in refused.value.hint
    assert file.read_bytes() == OLD
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=64) as volume:
        write_atomic(volume / "file", OLD)
        ballast = fill(volume)
        with pytest.raises(StoreError, match="No space left on device"):
            write_atomic(volume / "file", NEW * 10)
        assert (volume / "file").read_bytes() == OLD
        ballast.unlink()
        write_atomic(volume / "file", NEW)
        assert (volume / "file").read_bytes() == NEW
        assert list(volume.iterdir()) == [volume / "file"]


def test_a_read_only_folder_leaves_the_old_file(file: Path) -> None:
    with (
        read_only(file.parent),
        pytest.raises(StoreError, match=r"Read-only file system|Permission denied"),
    ):
        write_atomic(file, NEW)
    assert file.read_bytes() == OLD


def test_bytes_that_did_not_reach_the_disk_do_not_replace_the_old_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(stat.S_ISREG))
    with pytest.raises(StoreError, match="Input/output error"):
        write_atomic(file, NEW)
    assert file.read_bytes() == OLD


def test_a_name_that_did_not_reach_the_disk_is_not_called_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(stat.S_ISDIR))
    with pytest.raises(StoreError, match="Input/output error"):
        write_atomic(file, NEW)


def _fail_on(kind: Kind) -> Callable[[int], None]:
    def fsync(descriptor: int) -> None:
        if kind(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return fsync


def test_a_folder_appears_with_the_folders_it_needs(tmp_path: Path) -> None:
    publish_folder(tmp_path / "a" / "b" / "folder", partial(fill_with, NEW))
    assert held(tmp_path / "a" / "b" / "folder") == {NEW}


def test_a_folder_is_replaced_as_a_whole_and_nothing_stays_beside_it(folder: Path) -> None:
    (folder / "three").write_bytes(OLD)
    publish_folder(folder, partial(fill_with, NEW))
    assert sorted(path.name for path in folder.iterdir()) == ["one", "two"]
    assert held(folder) == {NEW}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_can_be_read_by_a_server_under_another_user(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) & 0o055 == 0o055


def test_a_folder_that_cannot_be_filled_leaves_the_old_one(folder: Path) -> None:
    with (
        largest_file(100),
        pytest.raises(StoreError, match=f"cannot write {folder}: File too large"),
    ):
        publish_folder(folder, partial(fill_with, NEW))
    assert held(folder) == {OLD}
    assert list(folder.parent.iterdir()) == [folder]


def test_a_full_disk_leaves_the_old_folder(tmp_path: Path) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=64) as volume:
        publish_folder(volume / "folder", partial(fill_with, OLD))
        fill(volume)
        with pytest.raises(StoreError, match="No space left on device"):
            publish_folder(volume / "folder", partial(fill_with, NEW * 10))
        assert held(volume / "folder") == {OLD}


@pytest.mark.parametrize("kind", [stat.S_ISREG, stat.S_ISDIR])
def test_a_folder_that_did_not_reach_the_disk_does_not_replace_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(kind))
    with pytest.raises(StoreError, match="Input/output error"):
        publish_folder(folder, partial(fill_with, NEW))
    assert held(folder) == {OLD}


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StoreError, match="Input/output error"):
        publish_folder(folder, partial(fill_with, NEW))
    assert held(folder) == {OLD}


def test_where_somebody_was_faster_a_folder_that_is_as_good_stays(tmp_path: Path) -> None:
    def overtaken(fresh: Path) -> None:
        publish_folder(tmp_path / "folder", partial(fill_with, OLD))
        fill_with(NEW, fresh)

    publish_folder(tmp_path / "folder", overtaken, keep=lambda path: held(path) == {OLD})
    assert held(tmp_path / "folder") == {OLD}
    publish_folder(tmp_path / "folder", overtaken, keep=lambda path: held(path) == {NEW})
    assert held(tmp_path / "folder") == {NEW}


def test_a_writer_killed_anywhere_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    *killed, finished = killed_anywhere("write_atomic", tmp_path)
    assert len(killed) > 5
    assert {(path / "file").read_bytes() for path in killed} == {b"old", b"new"}
    assert (finished / "file").read_bytes() == b"new"


def test_a_writer_killed_anywhere_leaves_the_old_folder_or_the_new_or_the_old_beside_it(
    tmp_path: Path,
) -> None:
    *killed, finished = killed_anywhere("publish_folder", tmp_path)
    assert len(killed) > 10
    assert all(_left(path) in ({b"old"}, {b"new"}) for path in killed)
    assert _left(finished) == {b"new"}


def _left(place: Path) -> set[bytes]:
    if (place / "folder").exists():
        return held(place / "folder")
    (aside,) = place.glob(".folder.*/old")
    shutil.move(aside, place / "folder")
    return held(place / "folder")
