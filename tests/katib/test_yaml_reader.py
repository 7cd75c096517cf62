"""Plain scalars and names of fields, as kubectl's own library reads them."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from katib.yaml_reader import NotYaml, compose_documents, construct, read_scalar

PROGRAM = Path(__file__).parents[2] / "scripts" / "yaml_reader.go"
MODULE = "sigs.k8s.io/yaml@v1.6.0"
CHARACTERS = "0123456789+-._eExobyYnNtTrue:fF~a"
TEXTS = [
    "a: [64:32, 1:30.5, y, n, on, Off, ~, 010, 0o14, 09, 0x1F, 0b11, -0b1, 1_000, 1__0, _1, =]",
    "a: [2026-01-31, 2026-01-31T10:00:00Z, 1e3, 1e-3, 1., .5, +.5, -0, 00, 1e400, .4_0, .inf2]",
    "a: [9223372036854775808, -9223372036854775808, !!str 5, !!float 5]",
    "<<: {a: 1}\nb: 2",
    "1: a\nyes: b\n1.5: c\n2026-01-31: d",
    "a: &x {b: 1}\nc: {<<: *x, d: 2}",
    "? [1]\n: 2",
    "a: !!int word",
    "a: !!set {b, c}\nd: !!omap [e: 1]\nf: !!timestamp 2026-01-31\ng: !!binary aGk=\nh: <<",
    "a: !here [1]\nb: !here {c: 1}\nd: !here 1",
]


def read(text: str) -> object:
    """Return what the first document of a text holds, or that it is refused."""
    try:
        return next(construct(node, text) for node in compose_documents(text))
    except NotYaml:
        return "refused"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64:32", "64:32"),
        ("1:30:00", "1:30:00"),
        ("y", True),
        ("Off", False),
        ("", None),
        ("010", 8),
        ("0o14", 12),
        ("09", 9.0),
        ("1_000", 1000),
        ("1e-3", 0.001),
        ("1e400", "1e400"),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ("18446744073709551616", 18446744073709551616.0),
    ],
)
def test_a_plain_scalar_is_what_kubectl_takes_it_for(text: str, value: object) -> None:
    assert read_scalar(text) == value
    assert type(read_scalar(text)) is type(value)


def test_names_of_fields_are_text() -> None:
    assert read("1: a\nyes: b\n1.5: c") == {"1": "a", "true": "b", "1.5": "c"}


def test_other_tags_leave_what_json_has() -> None:
    assert read("a: !!set {b}\nc: !!binary aGk=\nd: !!timestamp 2026-01-31\ne: !own 1") == {
        "a": {"b": None},
        "c": "hi",
        "d": "2026-01-31",
        "e": "1",
    }


def test_a_place_is_counted_with_and_without_a_byte_order_mark() -> None:
    for text in ("a: ä\nb: 1\n", "\ufeffa: ä\nb: 1\n"):
        (node,) = compose_documents(text)
        _, value = node.value[1]
        assert text[value.start_mark.index : value.end_mark.index] == "1"


@pytest.fixture(scope="module")
def kubectl_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go library as a program; skips without Go, or where the module cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    folder = tmp_path_factory.mktemp("go")
    shutil.copy(PROGRAM, folder / "main.go")
    for words in (["mod", "init", "reader"], ["get", MODULE], ["build", "-o", "reader", "."]):
        done = subprocess.run(
            ["go", *words], check=False, cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"go {words[0]}: {done.stderr[-200:]}")
    return folder / "reader"


def test_kubectls_own_library_reads_the_same(kubectl_reader: Path) -> None:
    letters = random.Random(3)  # noqa: S311 - nothing is secret
    scalars = ["".join(letters.choices(CHARACTERS, k=letters.randint(1, 6))) for _ in range(2000)]
    texts = [*TEXTS, *(f"a: {scalar}" for scalar in scalars)]
    answer = subprocess.run(
        [str(kubectl_reader)], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    theirs = json.loads(answer.stdout)
    ours = [read(text) for text in texts]
    assert {
        text: (mine, its)
        for text, mine, its in zip(texts, ours, theirs, strict=True)
        if mine != its
    } == {}
