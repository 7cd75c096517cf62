"""`tunegate train` is `python -m trainer` by another name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import environment, tunegate


def trainer(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "trainer", *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("--data", "iris", "--n-estimators", "5", "--max-depth=3", "--report-folds"),
        ("--data", "nothing"),
        ("--data", "iris", "--max-depth", "-1"),
        ("--data", "iris", "--estimators", "5"),
        ("--version",),
        ("--help",),
        (),
    ],
    ids=" ".join,
)
def test_output_and_exit_code_are_the_same(words: tuple[str, ...]) -> None:
    ours = tunegate("train", *words)
    theirs = trainer(*words)
    assert ours.returncode == theirs.returncode
    for mine, other in ((ours.stdout, theirs.stdout), (ours.stderr, theirs.stderr)):
        assert _unwrapped(mine.replace("tunegate train", "COMMAND")) == _unwrapped(
            other.replace("python -m trainer", "COMMAND")
        )


def _unwrapped(text: str) -> str:
    """Return a text without line breaks, and without the times of reports."""
    return " ".join(re.sub(r"\d{4}-\d\d-\d\dT\S+", "", text).split())


def test_it_writes_the_same_package(tmp_path: Path) -> None:
    words = ("--data", "iris", "--n-estimators", "5", "--output")
    assert tunegate("train", *words, tmp_path / "ours").returncode == 0
    assert trainer(*words, tmp_path / "theirs").returncode == 0
    manifests = [(tmp_path / name / "manifest.json").read_bytes() for name in ("ours", "theirs")]
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize("words", [("--version",), ("train", "--version")])
def test_the_version_is_the_distributions(words: tuple[str, ...]) -> None:
    from importlib.metadata import version

    done = tunegate(*words)
    assert (done.returncode, done.stdout) == (0, f"tunegate {version('tunegate')}\n")
