"""Real servers for other people's clients.

One predicts irises, whose kinds are numbers, the other homes, with texts, flags and gaps.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.patience import patience
from support.registry import toy_data as toy
from support.serving.code_blocks import block
from support.serving.servers import Running, free_port, put, running

from registry import ModelStore
from registry.package import ModelPackage
from trainer.dataset import load_dataset

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
EXAMPLE = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
ROWS = {
    "size": [80.5, 21.25, 150.0],
    "age": [12.0, 3.5, 60.0],
    "region": ["north", "east", "south"],
    "garden": [True, False, True],
}


@dataclass(frozen=True)
class Served:
    """Two packages and the servers that answer with them."""

    iris: ModelPackage
    homes: ModelPackage
    iris_server: Running
    homes_server: Running
    grpc: str

    def asked(self) -> dict[str, Any]:
        """Return the input of a client's script."""
        return {
            "iris": self.iris_server.url,
            "homes": self.homes_server.url,
            "grpc": self.grpc,
            "flowers": EXAMPLE,
            "rows": ROWS,
        }

    def kinds(self) -> list[Any]:
        """Return what the package of irises says to the example."""
        return [self.iris.manifest.classes[i] for i in self.shares().argmax(axis=1)]

    def shares(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        names = [column.name for column in self.iris.manifest.columns]
        return self.iris.predict(dict(zip(names, np.array(EXAMPLE).T.tolist(), strict=True)))

    def prices(self) -> list[float]:
        return [float(value) for value in self.homes.predict(ROWS)[:, 0]]


def numbered_iris(folder: Path) -> ModelPackage:
    """Make the package that the page on clients describes, by the page's own lines."""
    page = ROOT / "docs" / "clients.md"
    (folder / "iris.toml").write_text(block(page, "toml", 0))
    program = block(page, "python", 0).replace('"iris.csv"', repr(str(folder / "iris.csv")))
    exec(program, {})  # noqa: S102 - our own page
    return toy.package(
        load_dataset(str(folder / "iris.toml")), folder / "iris-good", {"n_estimators": 30}
    )


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    iris = numbered_iris(tmp_path_factory.mktemp("iris"))
    data = toy.dataset(tmp_path_factory.mktemp("homes"), toy.homes())
    homes = toy.package(data, tmp_path_factory.mktemp("package") / "homes-good", toy.GOOD)
    store = ModelStore(tmp_path_factory.mktemp("served") / "store")
    port = free_port()
    for package in (iris, homes):
        put(store, package)
    with (
        running(store, iris.manifest.name, also=[homes.manifest.name], grpc_port=port) as both,
        running(store, homes.manifest.name) as alone,
    ):
        yield Served(iris, homes, both, alone, f"127.0.0.1:{port}")


Peer = Callable[[str], Path]


@pytest.fixture(scope="session")
def peer() -> Peer:
    """Find the Python of another program's environment."""

    def find(name: str) -> Path:
        python = ROOT / ".peers" / name / "bin" / "python"
        if not (ROOT / ".peers" / name / ".lock").exists():
            pytest.skip(f"run scripts/peers {name}")
        return python

    return find


Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def answers(served: Served, peer: Peer) -> Callable[[str], Results]:
    """Run a client's script once and keep what each of its ways of asking gave."""
    known: dict[str, Results] = {}

    def run(name: str) -> Results:
        if name not in known:
            command = [str(peer(name)), str(HERE / f"with_{name}.py")]
            asked = json.dumps(served.asked())
            done = subprocess.run(
                command,
                input=asked,
                capture_output=True,
                text=True,
                timeout=patience(240),
                check=False,
            )
            assert done.returncode == 0, done.stderr
            known[name] = json.loads(done.stdout.splitlines()[-1])
        return known[name]

    return run
