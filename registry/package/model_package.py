"""Write, verify, load and use a model package.

model.npz       the flat forest and more arrays; see `arrays_file`
manifest.json   see `manifest`; has each other file's sha256, so its own is the package's digest
golden.json     a few rows, and the predictions that the model must give for them
card.md         for people
model.onnx      optional: a copy for other servers; it is verified and kept, but never run here
"""

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from registry.atomic_files import publish_folder
from registry.errors import PackageError
from registry.package.arrays_file import (
    RETRAIN,
    checked_residuals,
    pack_arrays,
    training_rows,
    unpack_arrays,
)
from registry.package.columns import Cell, RawValues, encode
from registry.package.forest import FlatForest
from registry.package.manifest import Manifest, Output
from registry.record import InvalidRecord, Record

MODEL = "model.npz"
MANIFEST = "manifest.json"
GOLDEN = "golden.json"
CARD = "card.md"
ONNX = "model.onnx"
FILES = (MODEL, MANIFEST, GOLDEN, CARD)
OPTIONAL_FILES = (ONNX,)
# Relative. Forests agree to the bit, a link function may differ between maths libraries.
GOLDEN_TOLERANCE = 1e-9
FLOAT64_MAX = float(np.finfo(np.float64).max)
R = TypeVar("R", bound=Record)


class Golden(Record, frozen=True, kw_only=True):
    """A few input rows and the predictions that belong to them."""

    rows: tuple[dict[str, bool | float | str | None], ...]
    predictions: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A verified package; made by `load_package`.

    Attributes:
        rows: uint64 (n,), the hashes of the rows it was trained on, sorted.
        residuals: out-of-fold predictions for at most 400 of the training rows; None if the package
            has none. Regression: float64 (n, 2), predicted and observed. Classification: float64
            (n, 3), the likeliest class, the true one (both as indices), the likeliest's share.
        size: bytes of all files.
    """

    path: Path
    digest: str
    manifest: Manifest
    forest: FlatForest
    rows: NDArray[np.uint64]
    residuals: NDArray[np.float64] | None
    golden: Golden
    size: int

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the package's files."""
        return _file_names(self.manifest)

    def predict(self, table: Mapping[str, RawValues]) -> NDArray[np.float64]:
        """Predict for a table, column name -> raw values.

        Returns:
            float64 (n, 1) in the target's unit, or (n, n_classes) probabilities in the order of
            `manifest.classes`.
        """
        return predict_encoded(
            self.forest, self.manifest.output, encode(self.manifest.columns, table)
        )

    @np.errstate(over="ignore")
    def interval(self, predicted: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the prediction interval around predictions, see `manifest.Interval`.

        Args:
            predicted: float64 (n, 1), as `predict` returns them.

        Returns:
            float64 (n, 2), low and high, always finite; None if the package states no interval.
        """
        stated = self.manifest.interval
        if stated is None:
            return None
        ends = np.hstack([predicted - stated.half_width, predicted + stated.half_width])
        return np.clip(ends, -FLOAT64_MAX, FLOAT64_MAX)  # a forged width may add up to infinity


@dataclass(frozen=True, slots=True)
class Draft:
    """What a trainer gives to `write_package`, which fills in `manifest.files`."""

    manifest: Mapping[str, object]
    forest: FlatForest
    rows: NDArray[np.uint64]
    golden_rows: Sequence[Mapping[str, Cell]]
    card: str
    residuals: NDArray[np.float64] | None = None
    onnx: bytes | None = None


# exp overflows to the right limit, and golden rows must be finite.
@np.errstate(over="ignore", invalid="ignore")
def predict_encoded(
    forest: FlatForest, output: Output, x: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Predict for encoded rows: apply the manifest's `output` to the forest's sums.

    Args:
        forest: the trees.
        output: how sums become predictions.
        x: float32 (n, n_features).

    Returns:
        float64 (n, 1) in the target's unit, or (n, n_classes) probabilities.
    """
    raw = forest.sums(x)
    if output.combine == "mean":
        raw = raw / forest.n_trees
    if output.base:
        raw = raw + np.asarray(output.base)
    if output.link == "logistic":
        positive = 1.0 / (1.0 + np.exp(-raw))
        raw = np.hstack([1.0 - positive, positive])
    elif output.link == "softmax":
        shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
        raw = shifted / shifted.sum(axis=1, keepdims=True)
    return raw


def write_package(target: Path, draft: Draft) -> str:
    """Write the package to `target`, replacing one that is there in one step; return its digest.

    Raises:
        StoreError: when the volume is full or read-only.
    """
    model = pack_arrays(draft.forest, draft.rows, draft.residuals)
    files = {MODEL: model, GOLDEN: _golden_content(draft), CARD: draft.card.encode()}
    if draft.onnx is not None:
        files[ONNX] = draft.onnx
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = Manifest.checked({**draft.manifest, "files": digests})
    files[MANIFEST] = manifest.to_json(indent=1)

    def write_files(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_bytes(content)

    publish_folder(target, write_files)
    return hashlib.sha256(files[MANIFEST]).hexdigest()


def load_package(path: Path, *, digest: str | None = None) -> ModelPackage:
    """Read a package and verify it: manifest, digests, arrays, golden rows, in that order.

    Args:
        path: the package's folder.
        digest: the sha256 that it must have, if the caller knows it (from ledger or pointer).

    Raises:
        PackageError: when anything is missing, damaged or forged, or the model does not predict its
            golden rows as written.
    """
    text = _read_file(path / MANIFEST)
    actual = hashlib.sha256(text).hexdigest()
    if digest not in {None, actual}:
        raise PackageError(
            f"{path}: the package's digest is {actual[:12]}, expected {str(digest)[:12]}",
            hint=RETRAIN,
        )
    manifest = _parse_record(Manifest, text, path / MANIFEST)
    contents = {
        name: _read_verified(path / name, manifest)
        for name in _file_names(manifest)
        if name != MANIFEST
    }
    arrays = unpack_arrays(contents[MODEL], path / MODEL)
    package = ModelPackage(
        path=path,
        digest=actual,
        manifest=manifest,
        forest=FlatForest.from_arrays(arrays, n_features=manifest.width),
        rows=training_rows(arrays, path / MODEL),
        residuals=checked_residuals(arrays, manifest, path / MODEL),
        golden=_parse_record(Golden, contents[GOLDEN], path / GOLDEN),
        size=len(text) + sum(map(len, contents.values())),
    )
    _check_outputs(package)
    check_golden(package)
    return package


def check_golden(package: ModelPackage) -> None:
    """Predict the golden rows and compare.

    Raises:
        PackageError: when a prediction is off by more than `GOLDEN_TOLERANCE`, or cannot be made.
    """
    rows = package.golden.rows
    expected = package.golden.predictions
    try:
        table = {
            column.name: [row[column.name] for row in rows] for column in package.manifest.columns
        }
        answers = package.predict(table)
        wanted = np.asarray(expected, dtype=np.float64)
        # np.allclose broadcasts: no predictions at all would agree with any.
        agree = answers.shape == wanted.shape and np.allclose(
            answers, wanted, rtol=GOLDEN_TOLERANCE, atol=1e-12
        )
    except (KeyError, ValueError, TypeError) as error:
        raise PackageError(
            f"{package.path / GOLDEN}: cannot be predicted: {error}", hint=RETRAIN
        ) from error
    if not (rows and agree):
        raise PackageError(
            f"{package.path}: the model does not answer its golden rows as written", hint=RETRAIN
        )


def _check_outputs(package: ModelPackage) -> None:
    n = package.forest.value.shape[1]
    link = package.manifest.output.link
    expected = 1 if link == "logistic" else package.manifest.n_outputs
    base = len(package.manifest.output.base)
    if (
        n != expected
        or base not in {0, n}
        or (link == "logistic" and package.manifest.n_outputs != 2)  # noqa: PLR2004
    ):
        raise PackageError(
            f"{package.path}: the forest has {n} output(s), the manifest wants {expected}",
            hint=RETRAIN,
        )


def _golden_content(draft: Draft) -> bytes:
    manifest = Manifest.checked({**draft.manifest, "files": {}})
    table = {
        column.name: [row[column.name] for row in draft.golden_rows] for column in manifest.columns
    }
    predictions = predict_encoded(draft.forest, manifest.output, encode(manifest.columns, table))
    content = {
        "rows": [dict(row) for row in draft.golden_rows],
        "predictions": predictions.tolist(),
    }
    return json.dumps(content, allow_nan=False, indent=1).encode()


def _file_names(manifest: Manifest) -> tuple[str, ...]:
    return (*FILES, *(name for name in OPTIONAL_FILES if name in manifest.files))


def _read_file(path: Path) -> bytes:
    try:
        # Reading a pipe would wait, reading a device never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise PackageError(f"{path}: not a regular file", hint=RETRAIN)
        return path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: {error.strerror}", hint=RETRAIN) from error


def _read_verified(path: Path, manifest: Manifest) -> bytes:
    content = _read_file(path)
    if hashlib.sha256(content).hexdigest() != manifest.files.get(path.name):
        raise PackageError(
            f"{path}: its content does not have the sha256 that the manifest names", hint=RETRAIN
        )
    return content


def _parse_record(kind: type[R], text: bytes, path: Path) -> R:
    try:
        return kind.parse(text)
    except InvalidRecord as error:
        raise PackageError(f"{path}: {error}", hint=RETRAIN) from error
