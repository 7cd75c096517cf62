"""Whatever an untrusted writer puts into a package, loading refuses it or verifies it."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.registry.packages import (
    FILES,
    GOLDEN_PREDICTIONS,
    GOLDEN_ROWS,
    edit_golden,
    edit_manifest,
    replace_file,
    write_houses,
)

from registry import PackageError
from registry.package import load_package
from registry.package.manifest import Output
from registry.package.package_files import read_package_file


@pytest.fixture
def intact_folder(tmp_path: Path) -> Path:
    write_houses(tmp_path / "package")
    return tmp_path / "package"


def load_error(intact_folder: Path, message: str) -> PackageError:
    with pytest.raises(PackageError, match=message) as caught:
        load_package(intact_folder)
    return caught.value


def test_a_refusal_says_which_file_and_what_to_do(intact_folder: Path) -> None:
    (intact_folder / "model.npz").unlink()
    error = load_error(intact_folder, "model.npz: No such file")
    assert "train it again" in error.hint


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(intact_folder: Path, name: str) -> None:
    (intact_folder / name).unlink()
    load_error(intact_folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_a_files_place_is_refused(intact_folder: Path, name: str) -> None:
    (intact_folder / name).unlink()
    (intact_folder / name).mkdir()
    load_error(intact_folder, name)


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_a_files_place_is_refused_and_not_waited_for(
    intact_folder: Path, name: str
) -> None:
    (intact_folder / name).unlink()
    os.mkfifo(intact_folder / name)
    load_error(intact_folder, f"{name}: not a regular file")


@pytest.mark.parametrize("name", FILES)
def test_a_device_without_end_is_refused_and_not_read(intact_folder: Path, name: str) -> None:
    (intact_folder / name).unlink()
    (intact_folder / name).symlink_to("/dev/zero")
    load_error(intact_folder, f"{name}: not a regular file")


@pytest.mark.parametrize("name", FILES)
def test_a_link_is_refused_whatever_it_leads_to(intact_folder: Path, name: str) -> None:
    moved = (intact_folder / name).rename(intact_folder.parent / "moved")
    (intact_folder / name).symlink_to(moved)
    load_error(intact_folder, f"{name}: not a regular file, but a link")


@pytest.mark.parametrize("name", [*FILES, "model.onnx"])
def test_a_file_that_would_fill_the_memory_is_refused_and_not_read(
    intact_folder: Path, name: str
) -> None:
    if name == "model.onnx":
        (intact_folder / name).touch()
        replace_file(intact_folder, name, b"")
    with (intact_folder / name).open("r+b") as file:
        file.truncate(100 << 30)  # it takes no space on the disk
    load_error(intact_folder, f"{name}: {100 << 30} bytes; a package's may have")


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("model.npz", 512 << 20),
        ("manifest.json", 8 << 20),
        ("golden.json", 16 << 20),
        ("card.md", 1 << 20),
        ("model.onnx", 1 << 30),
        ("evidence.json", 512 << 20),
        ("model.sig", 1 << 20),
    ],
)
def test_a_byte_more_than_the_formats_limit_is_too_many(
    tmp_path: Path, name: str, most: int
) -> None:
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, most + 1)
    with pytest.raises(PackageError, match=f"{most + 1} bytes; a package's may have {most}\n"):
        read_package_file(tmp_path / name)


def test_a_missing_package_is_refused(tmp_path: Path) -> None:
    load_error(tmp_path / "nowhere", "manifest.json: No such file")


@pytest.mark.parametrize("name", ["model.npz", "golden.json", "card.md"])
def test_a_file_without_its_digest_is_refused(intact_folder: Path, name: str) -> None:
    with (intact_folder / name).open("ab") as file:
        file.write(b"\n")
    load_error(intact_folder, f"{name}: its content does not have the sha256")


@pytest.mark.parametrize("name", ["model.npz", "golden.json", "card.md"])
def test_a_file_that_the_manifest_does_not_name_is_refused(intact_folder: Path, name: str) -> None:
    files = json.loads((intact_folder / "manifest.json").read_bytes())["files"]
    edit_manifest(
        intact_folder, files={key: digest for key, digest in files.items() if key != name}
    )
    load_error(intact_folder, f"{name}: its content does not have the sha256")


def test_another_package_under_the_expected_digest_is_refused(
    intact_folder: Path, tmp_path: Path
) -> None:
    digest = write_houses(tmp_path / "another", seed=8)
    with pytest.raises(PackageError, match=f"expected {digest[:12]}"):
        load_package(intact_folder, digest=digest)


def test_a_manifest_with_other_bytes_but_the_same_meaning_has_another_digest(
    intact_folder: Path,
) -> None:
    digest = load_package(intact_folder).digest
    edit_manifest(intact_folder)
    with pytest.raises(PackageError, match="the package's digest is"):
        load_package(intact_folder, digest=digest)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"format": 2}']
)
@pytest.mark.parametrize("name", ["manifest.json", "golden.json"])
def test_a_document_of_another_form_is_refused(intact_folder: Path, name: str, text: bytes) -> None:
    (intact_folder / name).write_bytes(text) if name == "manifest.json" else replace_file(
        intact_folder, name, text
    )
    load_error(intact_folder, f"{name}: ")


def test_a_refused_manifest_names_the_field(intact_folder: Path) -> None:
    edit_manifest(intact_folder, training_rows=0)
    load_error(intact_folder, "manifest.json: training_rows: Expected `int` >= 1")


def test_a_forest_that_reads_more_features_than_the_manifest_has_is_refused(
    intact_folder: Path,
) -> None:
    document = json.loads((intact_folder / "manifest.json").read_bytes())
    edit_manifest(intact_folder, columns=document["columns"][:1])
    load_error(intact_folder, "a feature is out of range")


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
    intact_folder: Path, changes: dict[str, Any]
) -> None:
    edit_manifest(intact_folder, **changes)
    load_error(intact_folder, "the model has 1 output")


def test_two_classes_of_one_output_are_read(tmp_path: Path) -> None:
    logistic = {"task": "classification", "metric": "brier", "classes": ("a", "b")}
    digest = write_houses(tmp_path / "toy", **logistic, output=Output(link="logistic"))
    assert load_package(tmp_path / "toy", digest=digest).predictor.n_outputs == 1


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
def test_golden_rows_that_do_not_match_are_refused(
    intact_folder: Path, golden: dict[str, Any]
) -> None:
    edit_golden(intact_folder, **golden)
    load_error(intact_folder, "does not answer its golden rows as written")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"rooms": 6.5, "river": True}, id="without a column"),
        pytest.param({"rooms": "many", "river": True, "zone": "a"}, id="with text for a number"),
        pytest.param(
            {"rooms": 1e300, "river": True, "zone": "a"}, id="with a number beyond float32"
        ),
        pytest.param({"rooms": 6.5, "river": True, "zone": None}, id="with a gap that none takes"),
        pytest.param({"rooms": True, "river": True, "zone": "a"}, id="with a flag for a number"),
        pytest.param({"rooms": 6.5, "river": 1, "zone": "a"}, id="with a number for a flag"),
        pytest.param({"rooms": 6.5, "river": True, "zone": "c"}, id="with an unknown category"),
    ],
)
def test_a_golden_row_that_cannot_be_predicted_is_refused(
    intact_folder: Path, row: dict[str, Any]
) -> None:
    edit_golden(intact_folder, rows=[row] * 3)
    load_error(intact_folder, "golden.json: cannot be predicted")


def test_golden_rows_without_end_are_refused_before_they_are_encoded(intact_folder: Path) -> None:
    edit_golden(intact_folder, rows=[GOLDEN_ROWS[0]] * 1001)
    load_error(intact_folder, "golden.json: 1001 rows of 4 features; a package may have 1000 rows")


def test_golden_predictions_of_several_lengths_are_refused(intact_folder: Path) -> None:
    edit_golden(intact_folder, predictions=[[11.0], [25.0, 1.0], [20.0]])
    load_error(intact_folder, "does not answer its golden rows as written")


def test_answers_within_the_tolerance_of_another_maths_library_are_accepted(
    intact_folder: Path,
) -> None:
    edit_golden(intact_folder, predictions=[[p * (1 + 1e-12)] for [p] in GOLDEN_PREDICTIONS])
    assert load_package(intact_folder).forest.n_trees == 2


def test_further_files_are_not_read(intact_folder: Path, tmp_path: Path) -> None:
    (intact_folder / "setup.py").write_text("raise SystemExit")
    shutil.move(intact_folder, tmp_path / "moved")
    assert load_package(tmp_path / "moved").manifest.name == "houses"
