"""The forest that every server serves: as our package and as pickles for the peers.

The rows to ask for, too.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor

from registry import ModelStore, Pointer
from registry.package import Column, CrossValidation, Draft, load_package, write_package
from trainer.learners.flatten import flatten_estimator

ROOT = Path(__file__).parent.parent.parent
PEERS = ROOT / ".peers"
HERE = Path(__file__).parent / "peers"
NAME = "forest"
TRAINING_ROWS = 506
FEATURES = 13
TREES = 100
BODIES = (
    64  # distinct rows that are asked for in turn: one row alone would flatter branch predictors
)
LARGEST = 10_000


@dataclass(frozen=True)
class Fixture:
    """What is on disk for the servers, and what they must answer.

    Attributes:
        folder: holds `store`, `model.joblib`, `package`, `mlflow` and the settings of MLServer.
        rows: float64 (10000, 13), values of 6 decimals within the training range.
        expected: float64 (10000,), what `rf.predict` says.
    """

    folder: Path
    rows: NDArray[np.float64]
    expected: NDArray[np.float64]


def make_fixture(folder: Path) -> Fixture:
    """Train, and write everything that a server needs."""
    x, y = make_friedman1(n_samples=TRAINING_ROWS, n_features=FEATURES, noise=1.0, random_state=0)
    x = x.round(6)
    forest = RandomForestRegressor(n_estimators=TREES, random_state=0, n_jobs=1).fit(x, y)
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.choice(column, LARGEST) for column in x.T])
    joblib.dump(forest, folder / "model.joblib")
    _publish(folder, forest, x, y)
    _mlserver(folder)
    return Fixture(folder, rows, forest.predict(rows))


def save_for_mlflow(folder: Path) -> None:
    """Write the model in MLflow's own format; only its environment can."""
    if not (folder / "mlflow").exists():
        command = [PEERS / "mlflow" / "bin" / "python", HERE / "mlflow_save.py", folder]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def _publish(folder: Path, forest: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:  # noqa: ANN401 - scikit-learn has no types
    flat, output = flatten_estimator(forest, n_features=FEATURES)
    names = [f"x{i}" for i in range(FEATURES)]
    columns = tuple(
        Column(
            name=name,
            kind="numeric",
            minimum=float(low),
            maximum=float(high),
            typical=float(middle),
        )
        for name, low, high, middle in zip(
            names, x.min(0), x.max(0), np.median(x, axis=0), strict=True
        )
    )
    golden = [dict(zip(names, map(float, row), strict=True)) for row in x[:8]]
    manifest = {**_about(y), "columns": columns, "output": output}
    draft = Draft(
        manifest,
        flat,
        np.arange(len(x), dtype=np.uint64),
        golden,
        "# A forest to measure servers with\n",
    )
    digest = write_package(folder / "package", draft)
    store = ModelStore(folder / "store")
    store.add(load_package(folder / "package"))
    store.point(Pointer(model=NAME, number=1, sha256=digest))


def _about(y: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "name": NAME,
        "task": "regression",
        "target": "y",
        "prediction": "predicted_y",
        "metric": "mse",
        "algorithm": "random_forest",
        "parameters": {"n_estimators": TREES},
        "seed": 0,
        "target_range": (float(y.min()), float(y.max())),
        "training_rows": len(y),
        "fingerprint": "0" * 64,
        "holdout": "0" * 64,
        "cross_validation": CrossValidation(metric="mse", score=0.0, folds=(0.0,), seed=0),
        "versions": {},
    }


def _mlserver(folder: Path) -> None:
    kinds = {
        "mlserver": ("mlserver_sklearn.SKLearnModel", folder / "model.joblib"),
        "mlserver-flat": ("mlserver_flat.FlatModel", folder / "package"),
    }
    for name, (implementation, uri) in kinds.items():
        (folder / name).mkdir()
        settings = {"name": NAME, "implementation": implementation, "parameters": {"uri": str(uri)}}
        (folder / name / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
