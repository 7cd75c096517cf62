import errno
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from support.promotion.crashes import kill_at_every_point
from support.registry.volumes import fill, largest_file, read_only, tiny_volume

from registry import StoreError
from registry.atomic_files import publish_folder, write_atomic

Kind = Callable[[int], bool]
OLD = b"old" * 1000
NEW = b"new" * 1000


def fill_with(content: bytes, old_folder: Path) -> None:
    (old_folder / "one").write_bytes(content)
    (old_folder / "two").write_bytes(content)


def contents_of(old_folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in old_folder.iterdir()}


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    write_atomic(tmp_path / "file", OLD)
    return tmp_path / "file"


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    publish_folder(tmp_path / "folder", partial(fill_with, OLD))
    return tmp_path / "folder"


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "file", NEW)
    assert (tmp_path / "a" / "b" / "file").read_bytes() == NEW


def test_a_file_is_replaced_and_nothing_stays_beside_it(old_file: Path) -> None:
    write_atomic(old_file, NEW)
    assert old_file.read_bytes() == NEW
    assert list(old_file.parent.iterdir()) == [old_file]


def test_a_file_can_be_read_by_a_server_under_another_user(old_file: Path) -> None:
    assert stat.S_IMODE(old_file.stat().st_mode) == 0o644


def test_a_reader_sees_the_old_bytes_or_the_new_never_a_part(old_file: Path) -> None:
    def write() -> None:
        for content in [NEW, OLD] * 50:
            write_atomic(old_file, content)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = {old_file.read_bytes()}
        while not writing.done():
            seen.add(old_file.read_bytes())
    writing.result()
    assert seen <= {OLD, NEW}


def test_a_write_that_fails_leaves_the_old_file_and_says_why(old_file: Path) -> None:
    with (
        largest_file(100),
        pytest.raises(StoreError, match=f"cannot write {old_file}: File too large") as refused,
    ):
        write_atomic(old_file, NEW)
    assert "nothing was changed" in refused.value.hint
    assert old_file.read_bytes() == OLD
    assert list(old_file.parent.iterdir()) == [old_file]


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


def test_a_read_only_folder_leaves_the_old_file(old_file: Path) -> None:
    with (
        read_only(old_file.parent),
        pytest.raises(StoreError, match=r"Read-only file system|Permission denied"),
    ):
        write_atomic(old_file, NEW)
    assert old_file.read_bytes() == OLD


def test_bytes_that_did_not_reach_the_disk_do_not_replace_the_old_file(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(stat.S_ISREG))
    with pytest.raises(StoreError, match="Input/output error"):
        write_atomic(old_file, NEW)
    assert old_file.read_bytes() == OLD


def test_a_name_that_did_not_reach_the_disk_is_not_called_written(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(stat.S_ISDIR))
    with pytest.raises(StoreError, match="Input/output error"):
        write_atomic(old_file, NEW)


def _fail_on(kind: Kind) -> Callable[[int], None]:
    def fsync(descriptor: int) -> None:
        if kind(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    return fsync


def test_a_folder_appears_with_the_folders_it_needs(tmp_path: Path) -> None:
    publish_folder(tmp_path / "a" / "b" / "folder", partial(fill_with, NEW))
    assert contents_of(tmp_path / "a" / "b" / "folder") == {NEW}


def test_a_folder_is_replaced_as_a_whole_and_nothing_stays_beside_it(old_folder: Path) -> None:
    (old_folder / "three").write_bytes(OLD)
    publish_folder(old_folder, partial(fill_with, NEW))
    assert sorted(path.name for path in old_folder.iterdir()) == ["one", "two"]
    assert contents_of(old_folder) == {NEW}
    assert list(old_folder.parent.iterdir()) == [old_folder]


def test_a_folder_can_be_read_by_a_server_under_another_user(old_folder: Path) -> None:
    assert stat.S_IMODE(old_folder.stat().st_mode) & 0o055 == 0o055


def test_a_folder_that_cannot_be_filled_leaves_the_old_one(old_folder: Path) -> None:
    with (
        largest_file(100),
        pytest.raises(StoreError, match=f"cannot write {old_folder}: File too large"),
    ):
        publish_folder(old_folder, partial(fill_with, NEW))
    assert contents_of(old_folder) == {OLD}
    assert list(old_folder.parent.iterdir()) == [old_folder]


def test_a_full_disk_leaves_the_old_folder(tmp_path: Path) -> None:
    with tiny_volume(tmp_path / "volume", kilobytes=64) as volume:
        publish_folder(volume / "folder", partial(fill_with, OLD))
        fill(volume)
        with pytest.raises(StoreError, match="No space left on device"):
            publish_folder(volume / "folder", partial(fill_with, NEW * 10))
        assert contents_of(volume / "folder") == {OLD}


@pytest.mark.parametrize("kind", [stat.S_ISREG, stat.S_ISDIR])
def test_a_folder_that_did_not_reach_the_disk_does_not_replace_the_old_one(
    old_folder: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on(kind))
    with pytest.raises(StoreError, match="Input/output error"):
        publish_folder(old_folder, partial(fill_with, NEW))
    assert contents_of(old_folder) == {OLD}


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(
    old_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(StoreError, match="Input/output error"):
        publish_folder(old_folder, partial(fill_with, NEW))
    assert contents_of(old_folder) == {OLD}


def test_where_somebody_was_faster_a_folder_that_is_as_good_stays(tmp_path: Path) -> None:
    def overtaken(fresh: Path) -> None:
        publish_folder(tmp_path / "folder", partial(fill_with, OLD))
        fill_with(NEW, fresh)

    publish_folder(tmp_path / "folder", overtaken, keep=lambda path: contents_of(path) == {OLD})
    assert contents_of(tmp_path / "folder") == {OLD}
    publish_folder(tmp_path / "folder", overtaken, keep=lambda path: contents_of(path) == {NEW})
    assert contents_of(tmp_path / "folder") == {NEW}


def test_a_writer_killed_anywhere_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    *killed, finished = kill_at_every_point("write_atomic", tmp_path)
    assert len(killed) > 5
    assert {(path / "file").read_bytes() for path in killed} == {b"old", b"new"}
    assert (finished / "file").read_bytes() == b"new"


def test_a_writer_killed_anywhere_leaves_the_old_folder_or_the_new_or_the_old_beside_it(
    tmp_path: Path,
) -> None:
    *killed, finished = kill_at_every_point("publish_folder", tmp_path)
    assert len(killed) > 10
    assert all(_leftovers(path) in ({b"old"}, {b"new"}) for path in killed)
    assert _leftovers(finished) == {b"new"}


def _leftovers(place: Path) -> set[bytes]:
    if (place / "folder").exists():
        return contents_of(place / "folder")
    (aside,) = place.glob(".folder.*/old")
    shutil.move(aside, place / "folder")
    return contents_of(place / "folder")
