"""Whatever an untrusted writer puts into a package, loading it ends in a verified package or in PackageError."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.registry.packages import (
    FILES,
    GOLDEN_PREDICTIONS,
    GOLDEN_ROWS,
    edit_golden,
    edit_manifest,
    model_arrays,
    npz,
    replace,
    write,
)

from registry import PackageError
from registry.package import load_package


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "package")
    return tmp_path / "package"


def refused(folder: Path, message: str) -> PackageError:
    with pytest.raises(PackageError, match=message) as caught:
        load_package(folder)
    return caught.value


def test_a_refusal_says_which_file_and_what_to_do(folder: Path) -> None:
    (folder / "model.npz").unlink()
    error = refused(folder, "model.npz: No such file")
    assert "train it again" in error.hint


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_a_files_place_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_a_files_place_is_refused_and_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, f"{name}: not a regular file")


@pytest.mark.parametrize("name", FILES)
def test_a_device_without_end_is_refused_and_not_read(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    refused(folder, f"{name}: not a regular file")


def test_a_missing_package_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "manifest.json: No such file")


@pytest.mark.parametrize("name", ["model.npz", "golden.json", "card.md"])
def test_a_file_without_its_digest_is_refused(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    refused(folder, f"{name}: its content does not have the sha256")


@pytest.mark.parametrize("name", ["model.npz", "golden.json", "card.md"])
def test_a_file_that_the_manifest_does_not_name_is_refused(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_bytes())["files"]
    edit_manifest(folder, files={key: digest for key, digest in files.items() if key != name})
    refused(folder, f"{name}: its content does not have the sha256")


def test_another_package_under_the_expected_digest_is_refused(folder: Path, tmp_path: Path) -> None:
    digest = write(tmp_path / "another", seed=8)
    with pytest.raises(PackageError, match=f"expected {digest[:12]}"):
        load_package(folder, digest=digest)


def test_a_manifest_with_other_bytes_but_the_same_meaning_has_another_digest(folder: Path) -> None:
    digest = load_package(folder).digest
    edit_manifest(folder)
    with pytest.raises(PackageError, match="the package's digest is"):
        load_package(folder, digest=digest)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"format": 2}']
)
@pytest.mark.parametrize("name", ["manifest.json", "golden.json"])
def test_a_document_of_another_form_is_refused(folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text) if name == "manifest.json" else replace(folder, name, text)
    refused(folder, f"{name}: ")


def test_a_refused_manifest_names_the_field(folder: Path) -> None:
    edit_manifest(folder, training_rows=0)
    refused(folder, "manifest.json: training_rows: Expected `int` >= 1")


def test_a_forest_that_reads_more_features_than_the_manifest_has_is_refused(folder: Path) -> None:
    document = json.loads((folder / "manifest.json").read_bytes())
    edit_manifest(folder, columns=document["columns"][:1])
    refused(folder, "a feature is out of range")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"output": {"link": "logistic"}}, id="a logistic regression"),
        pytest.param({"output": {"base": [1.0, 2.0]}}, id="two bases for one output"),
        pytest.param(
            {"task": "classification", "metric": "brier", "classes": ["a", "b"]}, id="two classes"
        ),
    ],
)
def test_outputs_that_do_not_fit_the_manifest_are_refused(
    folder: Path, changes: dict[str, Any]
) -> None:
    edit_manifest(folder, **changes)
    refused(folder, "the forest has 1 output")


@pytest.mark.parametrize(
    "golden",
    [
        pytest.param({"predictions": [[11.0], [25.0], [20.0000001]]}, id="another answer"),
        pytest.param({"predictions": []}, id="no answers"),
        pytest.param({"predictions": [[], [], []]}, id="empty answers"),
        pytest.param({"predictions": GOLDEN_PREDICTIONS[:2]}, id="an answer too few"),
        pytest.param({"predictions": [*GOLDEN_PREDICTIONS, [1.0]]}, id="an answer too many"),
        pytest.param(
            {"predictions": [[p, p] for [p] in GOLDEN_PREDICTIONS]}, id="answers too wide"
        ),
        pytest.param(
            {"rows": GOLDEN_ROWS[:1] * 3, "predictions": [[11.0]]}, id="one answer for all rows"
        ),
        pytest.param({"rows": [], "predictions": []}, id="no rows"),
    ],
)
def test_golden_rows_that_do_not_match_are_refused(folder: Path, golden: dict[str, Any]) -> None:
    edit_golden(folder, **golden)
    refused(folder, "does not answer its golden rows as written")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"rooms": 6.5, "river": True}, id="without a column"),
        pytest.param({"rooms": "many", "river": True, "zone": "a"}, id="with text for a number"),
        pytest.param(
            {"rooms": 1e300, "river": True, "zone": "a"}, id="with a number beyond float32"
        ),
    ],
)
def test_a_golden_row_that_cannot_be_predicted_is_refused(
    folder: Path, row: dict[str, Any]
) -> None:
    edit_golden(folder, rows=[row] * 3)
    refused(folder, "golden.json: cannot be predicted")


def test_answers_within_the_tolerance_of_another_maths_library_are_accepted(folder: Path) -> None:
    edit_golden(folder, predictions=[[p * (1 + 1e-12)] for [p] in GOLDEN_PREDICTIONS])
    assert load_package(folder).forest.n_trees == 2


def test_further_files_and_members_are_not_read(folder: Path, tmp_path: Path) -> None:
    (folder / "setup.py").write_text("raise SystemExit")
    replace(folder, "model.npz", npz({**model_arrays(), "extra": np.zeros(3)}))
    shutil.move(folder, tmp_path / "moved")
    assert load_package(tmp_path / "moved").manifest.name == "houses"
