"""Modules of the folder in which a person works never stand for ours, Python's or a library's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.cli import TIMEOUT, Running, environment, free_port, small_experiment, tunegate
from support.registry.package_variants import tiny
from support.serving.servers import put

from registry import ModelStore

SCRIPT = Path(sys.executable).with_name("tunegate")
ROOMS = ("api", "katib", "promote", "registry", "trainer", "tunegate")
OTHERS = (
    *("code", "copy", "json", "logging", "queue", "random", "select", "signal", "socket"),
    *("string", "struct", "types"),
    *("click", "fastapi", "httpx", "numpy", "pandas", "sklearn", "uvicorn"),
)
OWN = "this is a module of the folder's own"
VERDICTS = {0, 10, 11, 12}

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="tunegate is not installed")


@pytest.fixture(params=["modules", "packages"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, its name with a space and an umlaut, that has a module of each name."""
    folder = tmp_path / "häuser und preise"
    for name in (*ROOMS, *OTHERS):
        own = folder / f"{name}.py"
        if request.param == "packages":
            own = folder / name / "__init__.py"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(f"raise RuntimeError({OWN!r})\n")
        if request.param == "packages":
            own.with_name("__main__.py").write_text(f"print({OWN!r})\n")
    return folder


@pytest.fixture
def serving(folder: Path) -> Iterator[str]:
    """A server of two workers that was started in the folder; yields its address."""
    put(ModelStore(folder / "served"), tiny(folder / "toy"))
    port = free_port()
    words = ("serve", "--model", "toy", "--store", "served", "--port", port, "--workers", 2)
    command = Running(words, None, command=[str(SCRIPT)], cwd=folder)
    try:
        command.wait_for("serving promotion 1 of toy")
        yield f"http://127.0.0.1:{port}"
    finally:
        command.close()


def call(folder: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [SCRIPT, *map(str, words)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert OWN not in done.stdout + done.stderr, words
    assert "unexpected" not in done.stderr, done.stderr
    return done


def test_a_search_is_run_gated_and_looked_at(folder: Path) -> None:
    experiment = small_experiment(folder, trials=2)
    done = call(folder, "run", experiment.name, "--no-serve", "--port", free_port())
    assert done.returncode in VERDICTS, done.stderr
    assert call(folder, "gate").returncode in VERDICTS
    assert call(folder, "promote", "--dry-run").returncode in VERDICTS
    for command in ("watch", "history", "report", "repair"):
        assert call(folder, command).returncode == 0
    assert "trial" in call(folder, "doctor").stderr
    assert call(folder, "tune", experiment.name).returncode == 0


def test_a_package_is_trained_and_predicts(folder: Path) -> None:
    done = call(folder, "train", "--data", "iris", "--n-estimators", "3", "--output", "package")
    assert done.returncode == 0, done.stderr
    (folder / "new.csv").write_text(
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n5,3,1.5,0.2\n"
    )
    done = call(folder, "predict", "new.csv", "--package", "package")
    assert done.stdout.splitlines()[0] == "predicted_species"


def test_workers_serve(serving: str) -> None:
    answer = httpx.post(f"{serving}/predict", content=json.dumps({"x": 0.25}))
    assert answer.json()["predicted_y"] == 1.0


@pytest.mark.parametrize("name", ["api", "registry", "promote", "katib", "trainer", "json"])
def test_python_m_tunegate_needs_only_a_folder_without_a_tunegate(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / f"{name}.py").write_text(f"raise RuntimeError({OWN!r})\n")
    done = tunegate("history", "--data", "iris", cwd=tmp_path)
    assert "nothing was promoted yet" in done.stderr
