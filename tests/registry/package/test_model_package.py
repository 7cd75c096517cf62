import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.registry.packages import (
    FILES,
    GOLDEN_PREDICTIONS,
    GOLDEN_ROWS,
    draft,
    forest,
    manifest,
    model_arrays,
    npz,
    write_houses,
)
from support.registry.packages import replace_file as forge

from registry import PackageError, StoreError
from registry.package import (
    Draft,
    FlatForest,
    Manifest,
    ModelPackage,
    Output,
    load_package,
    write_package,
)
from registry.package.model_package import predict_encoded
from registry.record import InvalidRecord

TABLE = {"rooms": [6.5, None], "river": [False, True], "zone": ["a", "elsewhere"]}


@pytest.fixture
def houses(tmp_path: Path) -> ModelPackage:
    write_houses(tmp_path / "package")
    return load_package(tmp_path / "package")


def leaf(*values: float) -> FlatForest:
    """One tree of one leaf: its values are the sums of any row."""
    zero = np.zeros(1, dtype=np.int32)
    return FlatForest(
        start=np.array([0, 1], dtype=np.int32),
        feature=zero,
        threshold=zero.astype(np.float32),
        left=zero,
        right=zero,
        missing_left=zero.astype(np.bool_),
        value=np.array([values], dtype=np.float64),
        n_features=4,
    )


def predict_row(trees: FlatForest, **output: Any) -> list[list[float]]:  # noqa: ANN401 - fields of Output
    answers: list[list[float]] = predict_encoded(
        trees, Output(**output), np.zeros((1, 4), dtype=np.float32)
    ).tolist()
    return answers


def test_a_package_holds_its_four_files_and_nothing_else(houses: ModelPackage) -> None:
    assert sorted(path.name for path in houses.path.iterdir()) == sorted(FILES)


def test_what_is_loaded_is_what_was_written(houses: ModelPackage) -> None:
    written = draft()
    assert houses.manifest == Manifest.checked({**written.manifest, "files": houses.manifest.files})
    assert all(
        np.array_equal(array, houses.predictor.arrays()[name])
        for name, array in written.predictor.arrays().items()
    )
    assert [dict(row) for row in houses.golden.rows] == list(GOLDEN_ROWS)
    assert (houses.path / "card.md").read_text() == written.card


def test_the_hashes_of_its_training_rows_are_kept_in_order(houses: ModelPackage) -> None:
    assert houses.rows.dtype == np.uint64
    assert houses.rows.tolist() == [3, 5, 7, 9]


def test_its_digest_is_its_manifests_and_the_manifest_names_every_other_files(
    houses: ModelPackage,
) -> None:
    contents = {name: (houses.path / name).read_bytes() for name in FILES}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert houses.digest == digests.pop("manifest.json")
    assert houses.manifest.files == digests
    assert houses.size == sum(map(len, contents.values()))


def test_the_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write_houses(tmp_path / "one") == write_houses(tmp_path / "two")
    assert all(
        (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        for name in FILES
    )


def test_another_model_has_another_digest(tmp_path: Path) -> None:
    assert write_houses(tmp_path / "one") != write_houses(tmp_path / "two", seed=8)


def test_the_golden_rows_answers_are_the_models(houses: ModelPackage) -> None:
    assert [list(answers) for answers in houses.golden.predictions] == GOLDEN_PREDICTIONS


def test_it_predicts_a_table_of_raw_values(houses: ModelPackage) -> None:
    assert houses.predict(TABLE).tolist() == [[11.0], [11.0]]


def test_it_loads_under_the_digest_that_the_caller_knows(tmp_path: Path) -> None:
    digest = write_houses(tmp_path / "package")
    assert load_package(tmp_path / "package", digest=digest).digest == digest


def test_writing_again_replaces_the_package(tmp_path: Path) -> None:
    write_houses(tmp_path / "package")
    digest = write_houses(tmp_path / "package", seed=8)
    assert load_package(tmp_path / "package", digest=digest).manifest.seed == 8


def test_a_draft_that_its_manifest_contradicts_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecord, match="metric"):
        write_houses(tmp_path / "package", metric="log_loss")
    assert not (tmp_path / "package").exists()


def test_a_golden_row_without_an_answer_in_json_is_not_written(tmp_path: Path) -> None:
    rows = [{"rooms": float("nan"), "river": True, "zone": "a"}]
    unsound = Draft(manifest(), forest(), np.empty(0, dtype=np.uint64), rows, "")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_package(tmp_path / "package", unsound)
    assert not (tmp_path / "package").exists()


def test_a_volume_that_refuses_is_a_store_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write") as refused:
        write_houses(tmp_path / "file" / "package")
    assert "run the same command again" in refused.value.hint


def test_a_classification_answers_with_shares_of_its_classes(tmp_path: Path) -> None:
    fields = manifest(task="classification", metric="log_loss", classes=(False, True))
    arrays = {**forest().arrays(), "value": np.tile([[0.25, 0.75]], (8, 1))}
    trees = FlatForest.from_arrays(arrays, n_features=4)
    write_package(
        tmp_path / "package", Draft(fields, trees, np.empty(0, dtype=np.uint64), GOLDEN_ROWS, "")
    )
    assert load_package(tmp_path / "package").predict(TABLE).tolist() == [[0.25, 0.75]] * 2


def test_an_output_is_the_mean_or_the_sum_of_the_trees_and_a_base() -> None:
    x = np.array([[7, 1, 0, 1]], dtype=np.float32)
    assert predict_encoded(forest(), Output(), x).tolist() == [[25.0]]
    assert predict_encoded(forest(), Output(combine="sum", base=(-8.0,)), x).tolist() == [[42.0]]


def test_a_logistic_output_gives_both_classes_their_share() -> None:
    assert predict_row(leaf(0.0), link="logistic") == [[0.5, 0.5]]
    assert predict_row(leaf(np.log(3)), link="logistic")[0] == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(("raw", "shares"), [(-1000.0, [1.0, 0.0]), (1000.0, [0.0, 1.0])])
def test_a_logistic_output_may_be_as_sure_as_it_likes(raw: float, shares: list[float]) -> None:
    assert predict_row(leaf(raw), link="logistic") == [shares]


def test_a_softmax_output_adds_up_to_one_however_sure() -> None:
    assert predict_row(leaf(0.0, np.log(3)), link="softmax")[0] == pytest.approx([0.25, 0.75])
    assert predict_row(leaf(-1e300, 1e300), link="softmax") == [[0.0, 1.0]]


def test_the_manifest_is_json_that_people_can_read(houses: ModelPackage) -> None:
    text = (houses.path / "manifest.json").read_text()
    assert json.loads(text)["format"] == 2
    assert len(text.splitlines()) > 20


PAIRS = np.array([[10.0, 11.5], [20.0, 18.25]])
INTERVAL = {"coverage": 0.9, "half_width": 2.5, "measured": 0.88}


def test_a_package_without_pairs_and_interval_loads(houses: ModelPackage) -> None:
    assert houses.residuals is None
    assert houses.interval(np.zeros((2, 1))) is None


def test_a_manifest_from_before_intervals_loads(tmp_path: Path) -> None:
    write_houses(tmp_path / "package")
    path = tmp_path / "package" / "manifest.json"
    document = json.loads(path.read_bytes())
    del document["interval"]
    path.write_text(json.dumps(document))
    assert load_package(tmp_path / "package").manifest.interval is None


def test_pairs_come_back_as_written(tmp_path: Path) -> None:
    write_package(tmp_path / "package", replace(draft(), residuals=PAIRS))
    found = load_package(tmp_path / "package").residuals
    assert found is not None
    assert (found.dtype, found.tolist()) == (np.float64, PAIRS.tolist())


@pytest.mark.parametrize(
    "residuals",
    [
        pytest.param(PAIRS.astype(np.float32), id="float32"),
        pytest.param(PAIRS.astype(np.int64), id="integers"),
        pytest.param(PAIRS[0], id="one dimension"),
        pytest.param(PAIRS[None], id="three dimensions"),
        pytest.param(np.zeros((2, 3)), id="three columns"),
        pytest.param(np.zeros((2, 0)), id="no column"),
        pytest.param(np.array([[1.0, np.nan]]), id="no number"),
        pytest.param(np.array([[np.inf, 1.0]]), id="infinity"),
        pytest.param(np.zeros((401, 2)), id="too many"),
    ],
)
def test_forged_pairs_are_refused(tmp_path: Path, residuals: Any) -> None:  # noqa: ANN401 - whatever a file holds
    write_houses(tmp_path / "package")
    forge(tmp_path / "package", "model.npz", npz({**model_arrays(), "residuals": residuals}))
    with pytest.raises(PackageError, match=r"model\.npz: residuals"):
        load_package(tmp_path / "package")


@pytest.mark.parametrize(
    ("row", "sound"),
    [
        ([1.0, 0.0, 0.75], True),
        ([1.0, 1.0, 1.0], True),
        ([2.0, 0.0, 0.75], False),
        ([0.0, -1.0, 0.75], False),
        ([0.5, 0.0, 0.75], False),
        ([1.0, 0.0, 1.25], False),
        ([1.0, 0.0, -0.25], False),
    ],
)
def test_a_classifications_rows_name_classes_and_a_share(
    tmp_path: Path,
    row: list[float],
    sound: bool,  # noqa: FBT001
) -> None:
    fields = manifest(task="classification", metric="log_loss", classes=("a", "b"))
    trees = FlatForest.from_arrays(
        {**forest().arrays(), "value": np.tile([[0.25, 0.75]], (8, 1))}, n_features=4
    )
    rows = np.empty(0, dtype=np.uint64)
    write_package(
        tmp_path / "package", Draft(fields, trees, rows, GOLDEN_ROWS, "", residuals=np.array([row]))
    )
    if sound:
        found = load_package(tmp_path / "package").residuals
        assert found is not None
        assert found.tolist() == [row]
    else:
        with pytest.raises(PackageError, match="no model can have given them"):
            load_package(tmp_path / "package")


def test_an_interval_reaches_as_far_to_either_side(tmp_path: Path) -> None:
    write_houses(tmp_path / "package", interval=INTERVAL)
    ends = load_package(tmp_path / "package").interval(np.array([[10.0], [-1.0]]))
    assert ends is not None
    assert (ends.dtype, ends.tolist()) == (np.float64, [[7.5, 12.5], [-3.5, 1.5]])


def test_a_forged_width_gives_no_infinity(tmp_path: Path) -> None:
    write_houses(tmp_path / "package", interval={**INTERVAL, "half_width": 1.7e308})
    ends = load_package(tmp_path / "package").interval(np.array([[1.7e308], [-1.7e308]]))
    assert np.isfinite(ends).all()


@pytest.fixture
def with_copy(tmp_path: Path) -> ModelPackage:
    write_package(tmp_path / "with copy", replace(draft(), onnx=b"a copy for others"))
    return load_package(tmp_path / "with copy")


def test_a_copy_for_other_servers_is_one_more_file_under_the_digest(
    houses: ModelPackage, with_copy: ModelPackage
) -> None:
    assert sorted(path.name for path in with_copy.path.iterdir()) == sorted([*FILES, "model.onnx"])
    assert (houses.files, with_copy.files) == (FILES, (*FILES, "model.onnx"))
    assert (
        with_copy.manifest.files["model.onnx"] == hashlib.sha256(b"a copy for others").hexdigest()
    )
    assert with_copy.digest != houses.digest
    assert with_copy.size == sum(path.stat().st_size for path in with_copy.path.iterdir())


def test_a_copy_that_is_damaged_or_gone_is_refused(with_copy: ModelPackage) -> None:
    (with_copy.path / "model.onnx").write_bytes(b"another copy")
    with pytest.raises(PackageError, match=r"model\.onnx: its content does not have the sha256"):
        load_package(with_copy.path)
    (with_copy.path / "model.onnx").unlink()
    with pytest.raises(PackageError, match=r"model\.onnx: No such file"):
        load_package(with_copy.path)


def test_a_copy_that_the_manifest_does_not_name_is_not_the_packages(
    houses: ModelPackage, tmp_path: Path
) -> None:
    shutil.copytree(houses.path, tmp_path / "other")
    (tmp_path / "other" / "model.onnx").write_bytes(b"put there by somebody")
    found = load_package(tmp_path / "other", digest=houses.digest)
    assert (found.files, found.size) == (FILES, houses.size)
