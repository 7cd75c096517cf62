"""A package of evidence: it holds predictions and no model, whoever has written it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.registry.packages import draft, edit_manifest, replace_file, write_houses

from registry.errors import PackageError
from registry.package import load_package, write_package
from registry.package.outside import OutsideEvidence

LARGE = 2**64 - 1
EVIDENCE = OutsideEvidence(
    version="7",
    n_folds=2,
    seeds=(1000, 1001),
    rows=(3, LARGE),
    out_of_fold=(((1.5,), (2.5,)), (None, (3.5,))),
    holdout_rows=(4,),
    holdout=((9.0,),),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package of that evidence."""
    given = replace(draft(format=3, algorithm="mlp"), golden_rows=[], outside=EVIDENCE)
    write_package(tmp_path / "package", given)
    return tmp_path / "package"


def test_it_gives_its_predictions_by_row_and_no_others(folder: Path) -> None:
    package = load_package(folder)
    assert package.files[-1] == "evidence.json"
    found = package.outside
    assert found == EVIDENCE
    rows = np.array([LARGE, 3], dtype=np.uint64)
    assert found.predict_left_out(1000, rows).tolist() == [[2.5], [1.5]]
    assert np.isnan(found.predict_left_out(1001, rows)).tolist() == [[False], [True]]
    assert found.predict_holdout(np.array([4, 4], dtype=np.uint64)).tolist() == [[9.0], [9.0]]
    with pytest.raises(ValueError, match="no prediction for 1 of the rows"):
        found.predict_holdout(np.array([4, 5], dtype=np.uint64))
    assert found.covers([1001], 2)
    assert not found.covers([1001], 3)
    assert not found.covers([1002], 2)
    with pytest.raises(PackageError, match="mlp 7 of houses is served elsewhere: its package"):
        package.predict({"rooms": [1.0], "river": [False], "zone": ["a"]})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": [3]}, "not of the same number"),
        ({"seeds": [1000]}, "not of the same number"),
        ({"holdout_rows": [4, 5]}, "not of the same number"),
        ({"holdout_rows": [], "holdout": []}, "a part has no rows"),
        ({"holdout": [[1.0, 2.0]]}, "a prediction of 2 numbers, 1 are needed"),
        ({"out_of_fold": [[[], [1.0]], [None, None]]}, "a prediction of 0 numbers"),
        ({"rows": [3, -1]}, "rows"),
        ({"version": None}, "version"),
        ({"more": 1}, "more"),
    ],
)
def test_forged_evidence_is_refused(folder: Path, changes: dict[str, Any], words: str) -> None:
    document = json.loads((folder / "evidence.json").read_bytes())
    replace_file(folder, "evidence.json", json.dumps({**document, **changes}).encode())
    with pytest.raises(PackageError, match=words):
        load_package(folder)


def test_an_earlier_format_has_none_or_an_earlier_release_would_serve_it(folder: Path) -> None:
    edit_manifest(folder, format=2)
    with pytest.raises(PackageError, match="evidence is of format 3 on"):
        load_package(folder)


def test_a_package_with_a_model_has_no_evidence(tmp_path: Path) -> None:
    write_houses(tmp_path / "houses")
    assert load_package(tmp_path / "houses").outside is None
    assert load_package(tmp_path / "houses").elsewhere == ""
