"""Whatever damages a package's bytes, loading refuses it or gives a package that verifies."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support.fuzzing import examples
from support.registry.packages import FILES, write_houses

from registry import PackageError
from registry.package import ModelPackage, load_package

Contents = dict[str, bytes]
Damage = Callable[[bytes], bytes]


@cache
def sound_contents() -> Contents:
    with TemporaryDirectory() as folder:
        write_houses(Path(folder) / "package")
        return {name: (Path(folder) / "package" / name).read_bytes() for name in FILES}


def load_damaged(contents: Contents, *, digest: str | None = None) -> ModelPackage | None:
    """Return the package, or None when it was refused; anything else is a failure."""
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        try:
            package = load_package(Path(folder), digest=digest)
        except PackageError:
            event("refused")
            return None
    event("verified")
    return package


def place_in_package() -> st.SearchStrategy[int]:
    return st.integers(0, 10_000)  # taken modulo the file's length


def flip(at: int, bits: int) -> Damage:
    return lambda content: b"".join(
        [content[: (i := at % len(content))], bytes([content[i] ^ bits]), content[i + 1 :]]
    )


def cut(start: int, length: int) -> Damage:
    return lambda content: content[: (i := start % len(content))] + content[i + length :]


def put_file(at: int, what: bytes) -> Damage:
    return lambda content: content[: (i := at % len(content))] + what + content[i:]


def overwrite(at: int, what: bytes) -> Damage:
    return lambda content: content[: (i := at % len(content))] + what + content[i + len(what) :]


DAMAGE = st.one_of(
    st.builds(flip, place_in_package(), st.integers(1, 255)),
    st.builds(cut, place_in_package(), st.integers(1, 5000)),
    st.builds(put_file, place_in_package(), st.binary(min_size=1, max_size=20)),
    st.builds(
        overwrite,
        place_in_package(),
        st.sampled_from([bytes(4), b"\xff" * 4, bytes(64), b"\xff" * 64, b"9" * 8]),
    ),
)


def sealed(contents: Contents) -> Contents:
    """Let the manifest name the files' digests, as a forger would."""
    digests = {
        name: hashlib.sha256(contents[name]).hexdigest()
        for name in FILES
        if name != "manifest.json"
    }
    manifest = json.loads(contents["manifest.json"])
    return {**contents, "manifest.json": json.dumps({**manifest, "files": digests}).encode()}


@settings(max_examples=examples(150), deadline=None)
@given(name=st.sampled_from(FILES), damage=DAMAGE)
def test_no_damage_passes_the_digest_that_the_ledger_knows(name: str, damage: Damage) -> None:
    contents = sound_contents()
    damaged = {**contents, name: damage(contents[name])}
    found = load_damaged(damaged, digest=hashlib.sha256(contents["manifest.json"]).hexdigest())
    assert (found is None) == (damaged != contents)


@settings(max_examples=examples(150), deadline=None)
@given(damage=DAMAGE)
def test_a_damaged_manifest_is_refused_or_gives_the_same_model(damage: Damage) -> None:
    contents = sound_contents()
    if package := load_damaged({**contents, "manifest.json": damage(contents["manifest.json"])}):
        assert_verifies(package)


@settings(max_examples=examples(300), deadline=None)
@given(
    name=st.sampled_from(["model.npz", "golden.json"]),
    damages=st.lists(DAMAGE, min_size=1, max_size=3),
)
def test_damage_under_right_digests_is_refused_or_gives_a_package_that_verifies(
    name: str, damages: list[Damage]
) -> None:
    contents = dict(sound_contents())
    for damage in damages:
        contents[name] = damage(contents[name] or b"\0")
    if package := load_damaged(sealed(contents)):
        assert_verifies(package)


def assert_verifies(package: ModelPackage) -> None:
    """Check that it answers any row, and its golden rows as written."""
    table = {
        "rooms": [6.0, None, 1e30],
        "river": [True, None, False],
        "zone": ["a", "b", "elsewhere"],
    }
    if {column.name for column in package.manifest.columns} == set(table):
        assert np.isfinite(package.predict(table)).all()
    rows = package.golden.rows
    golden = {
        column.name: [row[column.name] for row in rows] for column in package.manifest.columns
    }
    assert np.allclose(package.predict(golden), package.golden.predictions, rtol=1e-8)
