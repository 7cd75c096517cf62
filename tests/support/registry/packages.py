"""A model package small enough to check by hand, and the ways to forge one.

Tree 0: rooms <= 6.5 ? 10 : 20, missing goes left.
Tree 1: zone is b ? (river ? 30 : 14, missing goes right) : 12.
The prediction is the mean of the two.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.package import Column, CrossValidation, Draft, FlatForest, Provenance, write_package

FILES = ("model.npz", "manifest.json", "golden.json", "card.md")
COLUMNS = (
    Column(name="rooms", kind="numeric", minimum=3.5, maximum=8.75, nullable=True, typical=6.25),
    Column(name="river", kind="boolean", nullable=True, typical=False),
    Column(name="zone", kind="categorical", categories=("a", "b"), typical="a"),
)
GOLDEN_ROWS = (
    {"rooms": 6.5, "river": False, "zone": "a"},
    {"rooms": 7.25, "river": True, "zone": "b"},
    {"rooms": None, "river": None, "zone": "b"},
)
GOLDEN_PREDICTIONS = [[11.0], [25.0], [20.0]]


def node_arrays() -> dict[str, NDArray[Any]]:
    return {
        "start": np.array([0, 3, 8], dtype=np.int32),
        "feature": np.array([0, 0, 0, 3, 0, 1, 0, 0], dtype=np.int32),
        "threshold": np.array([6.5, 0, 0, 0.5, 0, 0.5, 0, 0], dtype=np.float32),
        "left": np.array([1, 1, 2, 4, 4, 6, 6, 7], dtype=np.int32),
        "right": np.array([2, 1, 2, 5, 4, 7, 6, 7], dtype=np.int32),
        "missing_left": np.array([1, 0, 0, 0, 0, 0, 0, 0], dtype=np.bool_),
        "value": np.array([[0], [10], [20], [0], [12], [0], [14], [30]], dtype=np.float64),
    }


def forest(**changes: Any) -> FlatForest:  # noqa: ANN401 - arrays, whole or broken
    return FlatForest.from_arrays({**node_arrays(), **changes}, n_features=4)


def manifest(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - a manifest's fields
    fields = {
        "name": "houses",
        "task": "regression",
        "target": "price",
        "prediction": "predicted_price",
        "columns": COLUMNS,
        "metric": "mse",
        "algorithm": "random_forest",
        "parameters": {"n_estimators": 2},
        "seed": 7,
        "target_range": (5.0, 50.0),
        "training_rows": 4,
        "fingerprint": "f" * 64,
        "holdout": "0" * 64,
        "cross_validation": CrossValidation(metric="mse", score=9.5, folds=(9.0, 10.0), seed=1),
        "versions": {"numpy": "2"},
        "provenance": Provenance(experiment="houses-1", trial="houses-1-abc", git_commit="c0ffee"),
    }
    return {**fields, **changes}


def draft(**changes: Any) -> Draft:  # noqa: ANN401 - a manifest's fields
    rows = np.array([9, 3, 7, 5], dtype=np.uint64)
    return Draft(manifest(**changes), forest(), rows, GOLDEN_ROWS, "# houses\n")


def write_houses(folder: Path, **changes: Any) -> str:  # noqa: ANN401 - a manifest's fields
    """Write the package and return its digest."""
    return write_package(folder, draft(**changes))


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Change a file and let the manifest name its new digest, as a forger would."""
    (folder / name).write_bytes(content)
    document = json.loads((folder / "manifest.json").read_bytes())
    edit_manifest(folder, files={**document["files"], name: hashlib.sha256(content).hexdigest()})


def edit_manifest(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - a manifest's fields
    document = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**document, **changes}))


def edit_golden(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - rows, predictions
    document = json.loads((folder / "golden.json").read_bytes())
    replace_file(folder, "golden.json", json.dumps({**document, **changes}).encode())


def model_arrays() -> dict[str, NDArray[Any]]:
    """Return every array of `model.npz`."""
    return {**node_arrays(), "rows": np.array([3, 5, 7, 9], dtype=np.uint64)}


def npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(members: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Pack raw members, whatever they hold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def npy(header: str, body: bytes = b"") -> bytes:
    """Return an array file with this header, whatever it says."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body
