"""Archives that were forged, each under a manifest that names the right digests."""

import io
import struct
import zipfile
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.registry.packages import archive, model_arrays, npy, npz, replace_file, write_houses

from registry import PackageError
from registry.package import load_package

SOUND = npz(model_arrays())


@pytest.fixture
def package_folder(tmp_path: Path) -> Path:
    write_houses(tmp_path / "package")
    return tmp_path / "package"


def assert_refused(package_folder: Path, message: str) -> None:
    with pytest.raises(PackageError, match=message):
        load_package(package_folder)


def npy_file(values: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def array(shape: str, descr: str = "'<f8'") -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x05\x06" + bytes(18), id="an empty archive"),
        pytest.param(b"\x80\x04N.", id="a pickle"),
        pytest.param(array("(1,)") + bytes(8), id="an array, no archive"),
        pytest.param(
            array("(1,)") + bytes(8) + npz(model_arrays()), id="an array before the archive"
        ),
        pytest.param(npz(model_arrays())[:-30], id="an archive cut short"),
        pytest.param(
            npz(model_arrays()).replace(b"NUMPY", b"YPMUN", 1),
            id="a member that fails its checksum",
        ),
    ],
)
def test_a_model_that_is_no_array_archive_is_refused(package_folder: Path, forged: bytes) -> None:
    replace_file(package_folder, "model.npz", forged)
    assert_refused(package_folder, "model.npz")


def test_a_pickle_in_the_archive_is_refused_and_not_run(
    package_folder: Path, tmp_path: Path
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (tmp_path / "exploded",)

    replace_file(
        package_folder,
        "model.npz",
        npz({**model_arrays(), "rows": np.array([Bomb()], dtype=object)}),
    )
    assert_refused(package_folder, "Object arrays cannot be loaded")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused_before_they_grow(
    package_folder: Path, compression: int
) -> None:
    replace_file(
        package_folder, "model.npz", archive({"start.npy": array("(1,)")}, compression=compression)
    )
    assert_refused(package_folder, "compressed members are not part of the format")


@pytest.mark.parametrize(
    "member",
    [
        pytest.param(array(f"({10**13},)"), id="a shape beyond memory"),
        pytest.param(array(f"({2**70},)"), id="a shape beyond int64"),
        pytest.param(array(f"({2**62}, 4)"), id="a shape that overflows to nothing"),
        pytest.param(array("(-1,)"), id="a negative shape"),
        pytest.param(array("(9,)") + bytes(8), id="a shape larger than the data"),
        pytest.param(array("(1,)") + bytes(16), id="a shape smaller than the data"),
        pytest.param(array("(1,)", "()"), id="an empty type"),
        pytest.param(array("(1,)", "[('a',)]"), id="half a type"),
        pytest.param(array("(1,)", "'|O'"), id="a type of objects"),
        pytest.param(array("__import__('os')"), id="code in the header"),
        pytest.param(npy("{'descr': ('<f8', "), id="half a header"),
        pytest.param(npy("(" * 9000), id="a deep header"),
        pytest.param(npy("-" * 9000 + "1"), id="a deeper header"),
        pytest.param(npy("{}" + " " * 60_000), id="a long header"),
        pytest.param(b"\x93NUMPY\x09\x00", id="an unknown version"),
    ],
)
def test_a_forged_array_header_is_refused(package_folder: Path, member: bytes) -> None:
    replace_file(package_folder, "model.npz", archive({"start.npy": member}))
    assert_refused(package_folder, "model.npz: not a readable array file")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00",
            b"PK\x01\x02\x14\x03\x14\x00\x01\x00",
            id="encrypted",
        ),
        pytest.param(
            b"PK\x01\x02\x14\x03\x14\x00",
            b"PK\x01\x02\x14\x03\x7f\x00",
            id="of a later zip version",
        ),
    ],
)
def test_a_member_that_zipfile_does_not_read_is_refused(
    package_folder: Path, old: bytes, new: bytes
) -> None:
    content = archive({"start.npy": array("(1,)") + bytes(8)})
    assert old in content
    replace_file(package_folder, "model.npz", content.replace(old, new))
    assert_refused(package_folder, "model.npz: not a readable array file")


def directory_entry(member: zipfile.ZipInfo) -> bytes:
    """Return what an archive's directory says of a stored member."""
    fields = (20, 0, 20, 0, 0, 0, 0, 33, member.CRC, member.file_size, member.file_size)
    sizes = (len(member.filename), 0, 0, 0, 0, 0, member.header_offset)
    head = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *fields, *sizes)
    return head + member.filename.encode()


def with_directory(
    content: bytes, members: Sequence[zipfile.ZipInfo], *, gap: bytes = b""
) -> bytes:
    """Return an archive's members under another directory, which begins after a gap."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        start = file.start_dir
    directory = b"".join(map(directory_entry, members))
    count = len(members) & 0xFFFF
    sizes = (0, 0, count, count, len(directory), start + len(gap), 0)
    return content[:start] + gap + directory + struct.pack("<4s4H2LH", b"PK\5\6", *sizes)


def members_of(content: bytes) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.infolist()


def renamed(member: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    other = copy(member)
    other.filename = name
    return other


def nested_archive() -> bytes:
    """Return an archive of which the first member holds the second one."""
    inner = archive({"right.npy": npy_file(np.zeros(9))})
    (right,) = members_of(inner)
    held = inner[: right.header_offset + 30 + len(right.filename) + right.file_size]
    outer = archive({"left.npy": held})
    (left,) = members_of(outer)
    right.header_offset = outer.index(held)
    return with_directory(outer, [left, right])


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        pytest.param(
            with_directory(SOUND, members_of(SOUND) * 2), "a member is named twice", id="twice"
        ),
        pytest.param(
            with_directory(SOUND, members_of(SOUND) * 2000),
            "more members than the format has",
            id="very often",
        ),
        pytest.param(
            with_directory(
                SOUND, [*members_of(SOUND), renamed(members_of(SOUND)[0], "residuals.npy")]
            ),
            "members overlap",
            id="under two names",
        ),
        pytest.param(nested_archive(), "members overlap", id="inside of another"),
        pytest.param(
            with_directory(SOUND, members_of(SOUND), gap=b"x" * 64),
            "something between them",
            id="before a gap",
        ),
        pytest.param(
            with_directory(SOUND, members_of(SOUND)[1:]), "something between them", id="after a gap"
        ),
        pytest.param(
            npz({**model_arrays(), "extra": np.zeros(3)}),
            "no array of the format: extra.npy",
            id="unknown",
        ),
        pytest.param(SOUND + b"more", "something follows it", id="before other bytes"),
    ],
)
def test_members_that_make_a_file_larger_than_it_looks_are_refused(
    package_folder: Path, forged: bytes, message: str
) -> None:
    replace_file(package_folder, "model.npz", forged)
    assert_refused(package_folder, message)


@pytest.mark.parametrize("name", sorted(model_arrays()))
def test_raw_bytes_in_an_arrays_place_are_refused(package_folder: Path, name: str) -> None:
    members = {
        f"{key}.npy": npy_file(value) for key, value in model_arrays().items() if key != name
    }
    replace_file(package_folder, "model.npz", archive({**members, name: b"raw"}))
    assert_refused(package_folder, "model.npz: ")


@pytest.mark.parametrize(
    "rows",
    [
        None,
        np.zeros(3),
        np.zeros(3, dtype=np.int64),
        np.zeros((3, 1), dtype=np.uint64),
        np.uint64(3),
    ],
)
def test_the_hashes_of_the_training_rows_are_needed(
    package_folder: Path, rows: NDArray[Any] | None
) -> None:
    arrays = {key: value for key, value in model_arrays().items() if key != "rows"}
    replace_file(
        package_folder, "model.npz", npz(arrays if rows is None else {**arrays, "rows": rows})
    )
    assert_refused(package_folder, "the hashes of the training rows are missing")


def test_a_forest_whose_leaves_were_changed_does_not_answer_its_golden_rows(
    package_folder: Path,
) -> None:
    arrays = model_arrays()
    arrays["value"][1] += 1
    replace_file(package_folder, "model.npz", npz(arrays))
    assert_refused(package_folder, "does not answer its golden rows as written")
