import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from support.packages import FILES, GOLDEN_PREDICTIONS, GOLDEN_ROWS, draft, forest, manifest, write

from registry import StoreError
from registry.package import Draft, FlatForest, Manifest, ModelPackage, Output, load_package, write_package
from registry.package.package import finish

TABLE = {"rooms": [6.5, None], "river": [False, True], "zone": ["a", "elsewhere"]}


@pytest.fixture
def package(tmp_path: Path) -> ModelPackage:
    write(tmp_path / "package")
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


def answer(trees: FlatForest, **output: Any) -> list[list[float]]:  # noqa: ANN401 - fields of Output
    answers: list[list[float]] = finish(trees, Output(**output), np.zeros((1, 4), dtype=np.float32)).tolist()
    return answers


def test_a_package_holds_its_four_files_and_nothing_else(package: ModelPackage) -> None:
    assert sorted(path.name for path in package.path.iterdir()) == sorted(FILES)


def test_what_is_loaded_is_what_was_written(package: ModelPackage) -> None:
    written = draft()
    assert package.manifest == Manifest.model_validate({**written.manifest, "files": package.manifest.files})
    assert all(np.array_equal(array, package.forest.arrays()[name]) for name, array in written.forest.arrays().items())
    assert [dict(row) for row in package.golden.rows] == list(GOLDEN_ROWS)
    assert (package.path / "card.md").read_text() == written.card


def test_the_hashes_of_its_training_rows_are_kept_in_order(package: ModelPackage) -> None:
    assert package.rows.dtype == np.uint64
    assert package.rows.tolist() == [3, 5, 7, 9]


def test_its_digest_is_its_manifests_and_the_manifest_names_every_other_files(package: ModelPackage) -> None:
    contents = {name: (package.path / name).read_bytes() for name in FILES}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert package.digest == digests.pop("manifest.json")
    assert package.manifest.files == digests
    assert package.size == sum(map(len, contents.values()))


def test_the_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "one") == write(tmp_path / "two")
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in FILES)


def test_another_model_has_another_digest(tmp_path: Path) -> None:
    assert write(tmp_path / "one") != write(tmp_path / "two", seed=8)


def test_the_golden_rows_answers_are_the_models(package: ModelPackage) -> None:
    assert [list(answers) for answers in package.golden.predictions] == GOLDEN_PREDICTIONS


def test_it_predicts_a_table_of_raw_values(package: ModelPackage) -> None:
    assert package.predict(TABLE).tolist() == [[11.0], [11.0]]


def test_it_loads_under_the_digest_that_the_caller_knows(tmp_path: Path) -> None:
    digest = write(tmp_path / "package")
    assert load_package(tmp_path / "package", digest=digest).digest == digest


def test_writing_again_replaces_the_package(tmp_path: Path) -> None:
    write(tmp_path / "package")
    digest = write(tmp_path / "package", seed=8)
    assert load_package(tmp_path / "package", digest=digest).manifest.seed == 8


def test_a_draft_that_its_manifest_contradicts_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="metric"):
        write(tmp_path / "package", metric="log_loss")
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
        write(tmp_path / "file" / "package")
    assert "run the same command again" in refused.value.hint


def test_a_classification_answers_with_shares_of_its_classes(tmp_path: Path) -> None:
    fields = manifest(task="classification", metric="log_loss", classes=(False, True))
    arrays = {**forest().arrays(), "value": np.tile([[0.25, 0.75]], (8, 1))}
    trees = FlatForest.from_arrays(arrays, n_features=4)
    write_package(tmp_path / "package", Draft(fields, trees, np.empty(0, dtype=np.uint64), GOLDEN_ROWS, ""))
    assert load_package(tmp_path / "package").predict(TABLE).tolist() == [[0.25, 0.75]] * 2


def test_an_output_is_the_mean_or_the_sum_of_the_trees_and_a_base() -> None:
    x = np.array([[7, 1, 0, 1]], dtype=np.float32)
    assert finish(forest(), Output(), x).tolist() == [[25.0]]
    assert finish(forest(), Output(combine="sum", base=(-8.0,)), x).tolist() == [[42.0]]


def test_a_logistic_output_gives_both_classes_their_share() -> None:
    assert answer(leaf(0.0), link="logistic") == [[0.5, 0.5]]
    assert answer(leaf(np.log(3)), link="logistic")[0] == pytest.approx([0.25, 0.75])


@pytest.mark.parametrize(("raw", "shares"), [(-1000.0, [1.0, 0.0]), (1000.0, [0.0, 1.0])])
def test_a_logistic_output_may_be_as_sure_as_it_likes(raw: float, shares: list[float]) -> None:
    assert answer(leaf(raw), link="logistic") == [shares]


def test_a_softmax_output_adds_up_to_one_however_sure() -> None:
    assert answer(leaf(0.0, np.log(3)), link="softmax")[0] == pytest.approx([0.25, 0.75])
    assert answer(leaf(-1e300, 1e300), link="softmax") == [[0.0, 1.0]]


def test_the_manifest_is_json_that_people_can_read(package: ModelPackage) -> None:
    text = (package.path / "manifest.json").read_text()
    assert json.loads(text)["format"] == 1
    assert len(text.splitlines()) > 20
