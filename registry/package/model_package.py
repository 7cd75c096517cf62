"""Write, verify, load and use a model package.

model.npz       the predictor's arrays and more; see `arrays_file`
manifest.json   see `manifest`; has each other file's sha256, so its own is the package's digest
golden.json     a few rows, and the predictions that the model must give for them
card.md         for people
model.sig       optional: see `signing`; the only file that the digest does not cover
model.onnx      optional: a copy for other servers; it is verified and kept, but never run here
evidence.json   optional: predictions of a model that is served elsewhere; see `outside`
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from registry.atomic_files import publish_folder
from registry.errors import PackageError
from registry.package.arrays_file import (
    checked_residuals,
    pack_arrays,
    rounded_training_rows,
    training_rows,
    unpack_arrays,
)
from registry.package.columns import Cell, RawValues, encode
from registry.package.forest import FlatForest
from registry.package.golden import Golden
from registry.package.linear import FlatLinear
from registry.package.manifest import Manifest
from registry.package.outside import EVIDENCE_FORMAT, OutsideEvidence
from registry.package.package_files import (
    CARD,
    EVIDENCE,
    FILES,
    GOLDEN,
    MANIFEST,
    MODEL,
    ONNX,
    OPTIONAL_FILES,
    RETRAIN,
    check_size,
    hash_package_file,
    read_package_file,
)
from registry.package.prediction import FLOAT64_MAX, predict_encoded
from registry.package.predictor import Predictor, make_predictor
from registry.record import InvalidRecord, Record

COMMON_FORMAT = 2  # of packages that need no later one

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A verified package; made by `load_package`.

    Attributes:
        predictor: its trees, or its linear model.
        rows: uint64 (n,), the hashes of the rows it was trained on, sorted.
        rounded_rows: uint64 (n,), their hashes with fractions as float32 holds them, sorted; empty
            in packages from before release 0.2.
        residuals: out-of-fold predictions for at most 400 of the training rows; None if the package
            has none. Regression: float64 (n, 2), predicted and observed. Classification: float64
            (n, 3), the likeliest class, the true one (both as indices), the likeliest's share.
        golden: rows with their predictions.
        card: the card as it was verified, Markdown.
        size: bytes of all files.
        outside: the predictions of a model that is served elsewhere; None where the package holds
            its model.
    """

    path: Path
    digest: str
    manifest: Manifest
    predictor: Predictor
    rows: NDArray[np.uint64]
    residuals: NDArray[np.float64] | None
    golden: Golden
    card: str
    size: int
    rounded_rows: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    outside: OutsideEvidence | None = None

    def __repr__(self) -> str:
        return f"<ModelPackage {self.digest[:12]} of {self.manifest.name}>"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the package's files."""
        return file_names(self.manifest)

    @property
    def forest(self) -> FlatForest:
        """The trees.

        Raises:
            TypeError: when the model has none.
        """
        if not isinstance(self.predictor, FlatForest):
            raise TypeError(f"{self.path}: a {self.predictor.kind} model has no trees")
        return self.predictor

    def knows(self, rows: NDArray[np.uint64], rounded: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return whether it was trained on each of some rows, given by their hashes.

        Args:
            rows: uint64 (n,), the hashes.
            rounded: uint64 (n,), those of the same rows with fractions as float32 holds them.
        """
        found: NDArray[np.bool_] = np.isin(rows, self.rows) | np.isin(rounded, self.rounded_rows)
        return found

    def predict(self, table: Mapping[str, RawValues]) -> NDArray[np.float64]:
        """Predict for a table, column name -> raw values.

        Returns:
            float64 (n, 1) in the target's unit, or (n, n_classes) probabilities in the order of
            `manifest.classes`.

        Raises:
            PackageError: when the model is served elsewhere.
        """
        self.require_model()
        return predict_encoded(
            self.predictor, self.manifest.output, encode(self.manifest.columns, table)
        )

    def require_model(self) -> None:
        """Check that the package holds its model.

        Raises:
            PackageError: when it is served elsewhere.
        """
        if self.elsewhere:
            raise PackageError(self.elsewhere, hint="ask its own server")

    @property
    def elsewhere(self) -> str:
        """A sentence on where the model is served; empty where the package holds it."""
        if self.outside is None:
            return ""
        where = f" at {self.outside.served_at}" if self.outside.served_at else ""
        return (
            f"{self.manifest.algorithm} {self.outside.version} of {self.manifest.name} is "
            f"served elsewhere{where}: its package holds evidence, and no model"
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
    """What a trainer gives to `write_package`, which fills in the manifest's format and files."""

    manifest: Mapping[str, object]
    predictor: Predictor
    rows: NDArray[np.uint64]
    golden_rows: Sequence[Mapping[str, Cell]]
    card: str
    residuals: NDArray[np.float64] | None = None
    onnx: bytes | None = None
    rounded_rows: NDArray[np.uint64] | None = None
    outside: OutsideEvidence | None = None


def write_package(target: Path, draft: Draft) -> str:
    """Write the package to `target`, replacing one that is there in one step; return its digest.

    Raises:
        StoreError: when the volume is full or read-only.
        PackageError: when a file is larger than readers take.
    """
    model = pack_arrays(draft.predictor, draft.rows, draft.residuals, draft.rounded_rows)
    files = {MODEL: model, GOLDEN: _golden_content(draft), CARD: draft.card.encode()}
    if draft.onnx is not None:
        files[ONNX] = draft.onnx
    if draft.outside is not None:
        files[EVIDENCE] = draft.outside.to_json()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = _complete_manifest(draft, digests)
    files[MANIFEST] = manifest.to_json(indent=1)
    for name, content in files.items():
        check_size(name, len(content))

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
    text = read_package_file(path / MANIFEST)
    actual = hashlib.sha256(text).hexdigest()
    if digest not in {None, actual}:
        raise PackageError(
            f"{path}: the package's digest is {actual[:12]}, expected {str(digest)[:12]}",
            hint=RETRAIN,
        )
    manifest = _parse_record(Manifest, text, path / MANIFEST)
    contents = {name: _read_verified(path / name, manifest) for name in (MODEL, GOLDEN, CARD)}
    size = len(text) + sum(map(len, contents.values()))
    if ONNX in manifest.files:
        size += _verify_unread(path / ONNX, manifest)
    outside = None
    if EVIDENCE in manifest.files:
        outside = _read_evidence(path / EVIDENCE, manifest)
        size += (path / EVIDENCE).stat().st_size
    arrays = unpack_arrays(contents[MODEL], path / MODEL)
    package = ModelPackage(
        path=path,
        digest=actual,
        manifest=manifest,
        predictor=make_predictor(arrays, n_features=manifest.width),
        rows=training_rows(arrays, path / MODEL),
        residuals=checked_residuals(arrays, manifest, path / MODEL),
        golden=_parse_record(Golden, contents[GOLDEN], path / GOLDEN),
        card=contents[CARD].decode(errors="replace"),
        size=size,
        rounded_rows=rounded_training_rows(arrays, path / MODEL),
        outside=outside,
    )
    _check_outputs(package)
    if not outside:
        check_golden(package)
    return package


def check_golden(package: ModelPackage) -> None:
    """Predict the golden rows and compare.

    Raises:
        PackageError: when a prediction is off by more than the tolerance, or cannot be made.
    """
    path = package.path / GOLDEN
    table = package.golden.table(package.manifest.columns, path)
    try:
        answers = package.predict(table)
    except ValueError as error:
        raise PackageError(f"{path}: cannot be predicted: {error}", hint=RETRAIN) from error
    if not package.golden.agrees(answers):
        raise PackageError(
            f"{package.path}: the model does not answer its golden rows as written", hint=RETRAIN
        )


def _check_outputs(package: ModelPackage) -> None:
    manifest = package.manifest
    predictor = package.predictor
    n = predictor.n_outputs
    link = manifest.output.link
    expected = 1 if link == "logistic" else manifest.n_outputs
    base = len(manifest.output.base)
    if (
        n != expected or base not in {0, n} or (link == "logistic" and manifest.n_outputs != 2)  # noqa: PLR2004
    ):
        raise PackageError(
            f"{package.path}: the model has {n} output(s), the manifest wants {expected}",
            hint=RETRAIN,
        )
    if manifest.format < predictor.least_format or (
        predictor.kind == FlatLinear.kind and manifest.output.combine != "sum"
    ):
        raise PackageError(
            f"{package.path}: a {predictor.kind} model of format {manifest.format} that is "
            f"combined by {manifest.output.combine} does not exist",
            hint=RETRAIN,
        )


def _complete_manifest(draft: Draft, digests: Mapping[str, str]) -> Manifest:
    """Return the manifest with the files' digests, in the lowest format that holds the model."""
    fields = {"format": max(COMMON_FORMAT, draft.predictor.least_format), **draft.manifest}
    return Manifest.checked({**fields, "files": digests})


def _golden_content(draft: Draft) -> bytes:
    manifest = _complete_manifest(draft, {})
    table = {
        column.name: [row[column.name] for row in draft.golden_rows] for column in manifest.columns
    }
    predictions = predict_encoded(draft.predictor, manifest.output, encode(manifest.columns, table))
    content = {
        "rows": [dict(row) for row in draft.golden_rows],
        "predictions": predictions.tolist(),
    }
    return json.dumps(content, allow_nan=False, indent=1).encode()


def file_names(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of a package's files, those included that only some packages have."""
    return (*FILES, *(name for name in OPTIONAL_FILES if name in manifest.files))


def _read_verified(path: Path, manifest: Manifest) -> bytes:
    content = read_package_file(path)
    _check_digest(hashlib.sha256(content).hexdigest(), path, manifest)
    return content


def _read_evidence(path: Path, manifest: Manifest) -> OutsideEvidence:
    found = _parse_record(OutsideEvidence, _read_verified(path, manifest), path)
    if manifest.format < EVIDENCE_FORMAT:
        raise PackageError(f"{path}: evidence is of format {EVIDENCE_FORMAT} on", hint=RETRAIN)
    found.check(manifest.n_outputs, shares=bool(manifest.classes))
    return found


def _verify_unread(path: Path, manifest: Manifest) -> int:
    digest, size = hash_package_file(path)
    _check_digest(digest, path, manifest)
    return size


def _check_digest(digest: str, path: Path, manifest: Manifest) -> None:
    if digest != manifest.files.get(path.name):
        raise PackageError(
            f"{path}: its content does not have the sha256 that the manifest names", hint=RETRAIN
        )


def _parse_record(kind: type[R], text: bytes, path: Path) -> R:
    try:
        return kind.parse(text)
    except InvalidRecord as error:
        raise PackageError(f"{path}: {error}", hint=RETRAIN) from error
