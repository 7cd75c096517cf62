"""`tunegate train` is `python -m trainer` by another name; `package` takes what joblib kept."""

import re
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from support.cli import ROOT, environment, tunegate

import tunegate as tg


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


class Malicious:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["iris", "mine"])
def test_a_model_kept_by_joblib_becomes_a_package_that_answers_as_it_did(
    name: str, tmp_path: Path
) -> None:
    """The data are the built-in ones of the model's name, or those of a spec beside it."""
    iris = load_iris()
    fitted = RandomForestClassifier(n_estimators=5, random_state=0).fit(iris.data, iris.target)
    joblib.dump(fitted, tmp_path / f"{name}.joblib")
    if name == "mine":
        spec = (ROOT / "examples" / "sklearn-iris.toml").read_text()
        table = ROOT / "examples" / "iris.csv"
        (tmp_path / "mine.toml").write_text(spec.replace("iris.csv", str(table)))
    done = tunegate("package", f"{name}.joblib", "--trust", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    asked = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]])
    model = tg.load(tmp_path / "packages" / name)
    assert list(model.predict(pd.DataFrame(asked, columns=iris.feature_names))) == [1, 1]


def test_a_model_of_unknown_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.joblib").write_text("hello")
    done = tunegate("package", "mine.joblib", "--trust", cwd=tmp_path)
    assert done.returncode == 2
    assert "name with --data what it was fitted on" in done.stderr


def test_nothing_is_unpickled_without_trust(tmp_path: Path) -> None:
    joblib.dump(Malicious(tmp_path / "seen"), tmp_path / "model.joblib")
    words = ("package", "model.joblib", "--data", "iris", "--output", "made")
    done = tunegate(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "unpickling runs whatever its writer put into it" in done.stderr
    assert not (tmp_path / "seen").exists()
    done = tunegate(*words, "--trust", cwd=tmp_path)
    assert done.returncode == 2
    assert "holds no estimator but a NoneType" in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_file_that_is_no_pickle_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_text("hello")
    words = ("package", "model.joblib", "--data", "iris", "--output", "made", "--trust")
    done = tunegate(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "model.joblib: cannot be unpickled" in done.stderr
    assert "Traceback" not in done.stderr
