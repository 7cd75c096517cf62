"""Which kernel runs, and how the C one comes into a wheel."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.cli import environment
from support.registry.packages import forest

from registry.package import kernel
from registry.package.c_kernel.structures import VERSION

ROOT = Path(__file__).parents[3]
PACKAGE = Path("registry", "package")
SOURCES = [
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    "NOTICE",
    "manifests",
    "registry",
]
ASK = """
import json, registry.package as p, struct, sys
sys.path.insert(0, "tests")
from support.registry.packages import forest
print(json.dumps([p.KERNEL, forest().sums_row(struct.pack("4f", 7, 1, 0, 1))]))
"""
compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), None)
needs_a_compiler = pytest.mark.skipif(not compiler, reason="there is no C compiler")


def ask_process(**more: str) -> object:
    words = [sys.executable, "-c", ASK]
    return json.loads(
        subprocess.run(
            words,
            env={**environment(), "TUNEGATE_KERNEL": "", **more},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
    )


def sources(folder: Path) -> Path:
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    for room in ("api", "katib", "promote", "trainer", "tunegate"):
        (folder / room).mkdir()
        (folder / room / "__init__.py").touch()
    return folder


def build_library(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in {"CC", "TUNEGATE_REQUIRE_KERNEL"}
    }
    return subprocess.run(
        words, cwd=folder, env={**plain, **more}, capture_output=True, text=True, check=False
    )


def wheel(folder: Path) -> tuple[str, bytes | None]:
    """Return the only wheel's tag, and the library in it."""
    (path,) = (folder / "dist").iterdir()
    name = (PACKAGE / kernel.LIBRARY.name).as_posix()
    with zipfile.ZipFile(path) as archive:
        return path.stem.partition("-py3-")[2], archive.read(
            name
        ) if name in archive.namelist() else None


def test_the_kernel_runs_where_there_is_a_compiler() -> None:
    assert ask_process() == ["c" if compiler else "numpy", [50.0]], (
        "install again: scripts/setup dev"
    )


def test_the_environment_can_ask_for_numpy_and_gets_the_same_sums() -> None:
    assert ask_process(TUNEGATE_KERNEL="numpy") == ["numpy", [50.0]]


def test_a_library_that_is_absent_or_none_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    foreign = np._core._multiarray_umath.__file__
    for path in (tmp_path / "absent.so", tmp_path / "text.so", tmp_path, Path(foreign)):
        assert kernel.load_library(path, {}) is None


@pytest.mark.parametrize("hash_pieces", [kernel.hash_pieces, kernel.hash_by_python])
def test_pieces_are_hashed_as_hashlib_does(
    hash_pieces: Callable[..., np.ndarray[tuple[int], np.dtype[np.uint64]]],
) -> None:
    rng = np.random.default_rng(0)
    for size in (1, 7, 8, 64, 127, 128, 129, 168, 256, 257, 8000):
        for key in (b"", b"k", bytes(8), bytes(range(64))):
            content = rng.bytes(3 * size)
            pieces = [content[start : start + size] for start in range(0, 3 * size, size)]
            digests = [hashlib.blake2b(piece, digest_size=8, key=key).digest() for piece in pieces]
            expected = [int.from_bytes(digest, "big") for digest in digests]
            assert hash_pieces(content, size=size, key=key).tolist() == expected
    assert len(hash_pieces(b"", size=8)) == 0


@needs_a_compiler
@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_a_library_of_another_version_is_done_without(tmp_path: Path, version: int) -> None:
    text = (ROOT / PACKAGE / "kernel.c").read_text()
    for number in (VERSION, version):
        source = tmp_path / f"{number}.c"
        source.write_text(text.replace(f"{{ VERSION = {VERSION} }}", f"{{ VERSION = {number} }}"))
        subprocess.run(
            [str(compiler), "-shared", "-fPIC", source, "-o", source.with_suffix(".so")], check=True
        )
    assert kernel.load_library(tmp_path / f"{VERSION}.so", {}) is not None
    assert kernel.load_library(tmp_path / f"{version}.so", {}) is None


@needs_a_compiler
def test_a_wheel_holds_the_library_and_is_the_same_from_anywhere(tmp_path: Path) -> None:
    libraries = []
    for folder in (tmp_path / "here", tmp_path / "elsewhere" / "deeper"):
        folder.mkdir(parents=True)
        done = build_library(sources(folder), TUNEGATE_REQUIRE_KERNEL="1")
        assert done.returncode == 0, done.stderr
        tag, library = wheel(folder)
        assert tag.startswith("none-")
        assert tag != "none-any"
        libraries.append(library)
    assert libraries[0]
    assert libraries[0] == libraries[1]


@pytest.mark.parametrize("broken", ["false", "no-such-compiler", "cc -no-such-option"])
def test_a_compiler_that_fails_leaves_a_pure_wheel_and_no_stale_library(
    tmp_path: Path, broken: str
) -> None:
    stale = sources(tmp_path) / PACKAGE / kernel.LIBRARY.name
    stale.write_bytes(b"of other sources")
    done = build_library(tmp_path, CC=broken)
    assert done.returncode == 0, done.stderr
    assert "no C kernel, numpy walks the trees instead" in done.stdout + done.stderr
    assert wheel(tmp_path) == ("none-any", None)
    assert not stale.exists()
    assert not list((tmp_path / PACKAGE).glob("*.tmp"))


@pytest.mark.parametrize("path", ["bin", None])
def test_a_kernel_that_is_required_and_cannot_be_compiled_fails_the_build(
    tmp_path: Path, path: str | None
) -> None:
    sources(tmp_path)
    (tmp_path / "bin").mkdir()
    done = build_library(
        tmp_path, TUNEGATE_REQUIRE_KERNEL="1", **({"PATH": "bin"} if path else {"CC": "false"})
    )
    assert done.returncode != 0
    assert "the C kernel is required" in done.stderr
    assert ("there is no C compiler" if path else "false failed") in done.stderr
    assert not (tmp_path / "dist").exists() or not list((tmp_path / "dist").iterdir())


def test_a_chain_of_many_steps_is_walked_to_its_end() -> None:
    inner = 1000
    nodes = np.arange(2 * inner + 1, dtype=np.int32)
    left = nodes.copy()
    right = nodes.copy()
    left[: 2 * inner : 2] = nodes[1 : 2 * inner : 2]
    right[: 2 * inner : 2] = nodes[2::2]
    arrays = {"start": np.array([0, len(nodes)], dtype=np.int32), "feature": np.zeros_like(nodes)}
    arrays |= {"threshold": (nodes // 2).astype(np.float32), "left": left, "right": right}
    arrays |= {
        "missing_left": np.zeros(len(nodes), dtype=np.bool_),
        "value": nodes.astype(np.float64)[:, None],
    }
    chain = type(forest()).from_arrays(arrays, n_features=1)
    x = np.array([[0], [math.pi], [inner - 1], [inner], [np.nan]], dtype=np.float32)
    expected = [[1], [9], [2 * inner - 1], [2 * inner], [2 * inner]]
    from support.registry.kernels import traversals

    assert [walk.sums(x).tolist() for walk in traversals(chain)] == [
        expected for _ in traversals(chain)
    ]
